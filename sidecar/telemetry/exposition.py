"""Answer `GET /metrics` in the text format that the client requests.

`COLLECTORS` is the table of all collectors. Each scrape reads its input once, so that all metrics describe one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from ..system import accept as negotiation
from . import blindness, control, detection, labels, sync, traffic
from . import process as own
from .scrape import ScrapeInput

COLLECTORS = (
    blindness.collect,
    control.collect,
    detection.collect,
    labels.collect,
    own.collect,
    sync.collect,
    traffic.collect,
)


OPENMETRICS, TEXT = "application/openmetrics-text", "text/plain"


@dataclass(frozen=True)
class ScrapeCollector(Collector):
    """Passes the input of one scrape to all collectors.

    Attributes:
        read: returns the current input; called once per scrape.
    """

    read: Callable[[], ScrapeInput]

    def collect(self) -> Iterator[Family]:
        """Yield every family that has samples."""
        reading = self.read()
        for collect in COLLECTORS:
            yield from (family for family in collect(reading) if family.samples)
        for extra in reading.extra:
            yield from (family for family in extra() if family.samples)


class Exposition:
    """The body of `GET /metrics`: OpenMetrics or the plain text format, according to the Accept header.

    `source` is a collector, or a function that returns the input of one scrape of a sidecar.
    """

    def __init__(self, source: Collector | Callable[[], ScrapeInput]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(ScrapeCollector(source) if callable(source) else source)

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the body and its content type for the Accept header `accept`; text without a preference."""
        kind, chosen = negotiation.preferred(accept, (OPENMETRICS, TEXT), TEXT, _has_version)
        encode, content_type = choose_encoder(chosen.text if chosen and chosen.kind == kind else kind)
        return encode(self._registry), content_type


def _has_version(wanted: negotiation.Range) -> bool:
    """Return whether the client library can write the version of OpenMetrics that a range asks for."""
    try:
        _, content_type = choose_encoder(wanted.text)
    except (TypeError, ValueError):  # such as a version that is not a number
        return False
    return wanted.kind != OPENMETRICS or content_type.startswith(OPENMETRICS)
