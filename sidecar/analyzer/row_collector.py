"""Rows on their way to disk: for the recent rows that the document keeps, and for a profile that is being learnt."""

from __future__ import annotations

from ..rows.blocks import Block
from ..rows.buffer import RowBuffer
from .component import Component
from .decode import DecodedExchange
from .learning import LearningState
from .settings import AnalyzerSettings


class RowCollector(Component):
    """Collects rows, without the masked columns, until the worker writes them. They are not in the checkpoint."""

    def __init__(self, settings: AnalyzerSettings, learning: LearningState) -> None:
        blocks = (settings.keep_rows, settings.learn)
        self._buffer = RowBuffer(frozenset(name for block in blocks if block for name in block.mask))
        self._always = settings.keep_rows is not None
        self._learning = learning

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return self._buffer.rows

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Collect the rows while they are wanted."""
        if self._always or self._learning.gathering:
            outputs = exchange.outputs.columns if exchange.outputs is not None else {}
            self._buffer.add(at, exchange.inputs.count, exchange.inputs.columns, outputs)

    def take(self) -> list[Block]:
        """Return the rows that wait, and forget them."""
        return self._buffer.take()
