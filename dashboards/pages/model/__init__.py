"""Model: one model in depth. `overview` and `traffic`, then `drift`, `rows`, `labels`, and `servers` of the model."""

from __future__ import annotations

from ...model import Page
from ..variables import MODEL, NAMESPACE, POD, VERSION
from .drift import DRIFT, QUALITY
from .labels import LABELS
from .overview import NOW
from .rows import LEARNING, VISIBILITY
from .servers import STREAMS, TRITON, VLLM
from .traffic import PODS, TRAFFIC, VERSIONS

PAGE = Page(
    "model",
    "Pilotfish / Model",
    "One model: traffic, latency, drift, data quality, blind spots, labels, and the metrics of its server.",
    (NAMESPACE, MODEL, VERSION, POD),
    (NOW, TRAFFIC, VERSIONS, PODS, DRIFT, QUALITY, VISIBILITY, LABELS, LEARNING, STREAMS, VLLM, TRITON),
)
