"""Readings out, text in the format that the scraper asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from . import control, detection, labels, traffic
from . import process as own
from .scrape import ScrapeInput

COLLECTORS = (control.collect, detection.collect, labels.collect, own.collect, traffic.collect)


@dataclass(frozen=True)
class ScrapeCollector(Collector):
    """Collects from one reading, taken when the scrape begins."""

    read: Callable[[], ScrapeInput]

    def collect(self) -> Iterator[Family]:
        """Yield every family that has something to say."""
        reading = self.read()
        for collect in COLLECTORS:
            yield from (family for family in collect(reading) if family.samples)


class Exposition:
    """`/metrics`: OpenMetrics or the plain text format, as the Accept header asks."""

    def __init__(self, read: Callable[[], ScrapeInput]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(ScrapeCollector(read))

    def render(self, accept: str) -> tuple[bytes, str]:
        """Return the exposition and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type
