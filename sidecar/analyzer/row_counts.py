"""How many rows each model received and predicted, for the report and `pilotfish_rows_total`."""

from __future__ import annotations

from .component import Component
from .counters import ROWS, CounterKey, Counters
from .decode import DecodedExchange

MAX_MODELS = 16
OTHER_MODEL = "other"


class RowCounts(Component):
    """Counts rows by side and model; the models beyond the first 16 share one counter a side.

    `model` is the name in the document, which replaces those in the requests.
    """

    def __init__(self, counters: Counters, model: str) -> None:
        self._counters = counters
        self._model = model
        self._keys: dict[tuple[str, str], CounterKey] = {}
        if model:
            for side in ("input", "prediction"):
                counters.adopt(ROWS.key(side, model))

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Count the rows of both sides."""
        model, outputs = exchange.model, exchange.outputs
        self.count(model, "input", exchange.inputs.count)
        if outputs is not None:
            self.count(model, "prediction", outputs.count)

    def count(self, model: str, side: str, rows: int) -> None:
        """Count rows of one side; `model` is the name in the request."""
        self._counters.add(self._keys.get((model, side)) or self._key(model, side), rows)

    def _key(self, model: str, side: str) -> CounterKey:
        key = ROWS.key(side, self._model or model)
        if key not in self._counters and len(self._counters.of(ROWS)) >= 2 * MAX_MODELS:
            return ROWS.key(side, OTHER_MODEL)
        self._keys[model, side] = key
        return key
