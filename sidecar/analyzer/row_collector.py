"""Component that collects rows to be written to disk: as recent rows, and to learn a profile from.

`row_stores.py` takes them. Masked columns are removed here, before anything can be written.
"""

from __future__ import annotations

from ..rows.blocks import RowBlock
from ..rows.buffer import RowBuffer
from .component import Component
from .decode import DecodedExchange
from .learning import LearningState
from .settings import AnalyzerSettings


class RowCollector(Component):
    """Collects rows without the masked columns until the worker writes them. They are not in the checkpoint."""

    def __init__(self, settings: AnalyzerSettings, learning: LearningState) -> None:
        blocks = (settings.keep_rows, settings.learn)
        self._buffer = RowBuffer(frozenset(name for block in blocks if block for name in block.mask))
        self._always = settings.keep_rows is not None
        self._learning = learning

    @property
    def rows(self) -> int:
        """The number of rows that wait to be written."""
        return self._buffer.rows

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Collect the rows while the document or a learning needs them."""
        if self._always or self._learning.gathering:
            outputs = exchange.outputs.columns if exchange.outputs is not None else {}
            self._buffer.add(at, exchange.inputs.count, exchange.inputs.columns, outputs)

    def take(self) -> list[RowBlock]:
        """Return and remove the rows that wait."""
        return self._buffer.take()
