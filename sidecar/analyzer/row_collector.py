"""Component that collects rows to be written to disk: as recent rows, and to learn a profile from.

`row_stores.py` takes them. Masked columns are removed here, before anything can be written.
"""

from __future__ import annotations

from ..rows.blocks import RowBlock
from ..rows.buffer import RowBuffer
from ..settings.document import Learn
from .component import Component
from .decode import DecodedExchange
from .learning import LearningState
from .settings import AnalyzerSettings


class RowCollector(Component):
    """Collects rows without the masked columns until the worker writes them. They are not in the checkpoint."""

    def __init__(self, settings: AnalyzerSettings, learning: LearningState) -> None:
        blocks = (settings.keep_rows, settings.learn)
        self._buffer = RowBuffer(frozenset(name for block in blocks if block for name in block.mask))
        self._kept = settings.keep_rows.rows if settings.keep_rows else 0
        self._learned = (settings.learn or Learn()).rows
        self._learning = learning

    @property
    def full(self) -> bool:
        """Whether the rows that wait must be written before the next exchange."""
        return self._buffer.full

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Collect the rows while the document or a learning needs them."""
        most = max(self._kept, self._learned if self._learning.gathering else 0)
        if most:
            outputs = exchange.outputs.columns if exchange.outputs is not None else {}
            inputs = exchange.inputs
            self._buffer.add(at, inputs.count, inputs.columns, outputs, most_rows=most, size=exchange.size)

    def take(self) -> list[RowBlock]:
        """Return and remove the rows that wait."""
        return self._buffer.take()
