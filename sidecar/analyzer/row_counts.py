"""Component that counts rows per model and side, and exchanges whose predictions could not be read.

The model name comes from the request, so the number of counters must stay bounded.
"""

from __future__ import annotations

from .component import Component
from .counters import PREDICTIONS_UNREAD, ROWS, CounterKey, Counters
from .decode import DecodedExchange

MAX_MODELS = 16
OTHER_MODEL = "other"


class RowCounts(Component):
    """Counts rows by side and model. Models beyond the first MAX_MODELS share one counter per side.

    `model` is the name in the document. Unless empty, it replaces the names in the requests.
    """

    def __init__(self, counters: Counters, model: str) -> None:
        self._counters = counters
        self._model = model
        self._input_keys: dict[str, CounterKey] = {}
        self._prediction_keys: dict[str, CounterKey] = {}
        if model:
            for side in ("input", "prediction"):
                counters.adopt(ROWS.key(side, model))

    def on_exchange(self, tick: int, exchange: DecodedExchange, at: float) -> None:
        """Count the rows of both sides, or the reason why the response has none."""
        model, outputs = exchange.model, exchange.outputs
        key = self._input_keys.get(model) or self._key(self._input_keys, "input", model)
        self._counters.add(key, exchange.inputs.count)
        if outputs is None:
            self._counters.add(PREDICTIONS_UNREAD.key(exchange.outputs_reason or ""))
        else:
            key = self._prediction_keys.get(model) or self._key(self._prediction_keys, "prediction", model)
            self._counters.add(key, outputs.count)

    def _key(self, keys: dict[str, CounterKey], side: str, model: str) -> CounterKey:
        key = ROWS.key(side, self._model or model)
        if key not in self._counters and len(self._counters.of(ROWS)) >= 2 * MAX_MODELS:
            return ROWS.key(side, OTHER_MODEL)
        keys[model] = key
        return key
