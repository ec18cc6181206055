"""Convert blind spots, warnings, and responses whose predictions were not read, to metrics."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from ..report.schema import BLIND_REASONS
from . import names
from .scrape import ScrapeInput


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield one sample per reason, so that an alert resolves, the warnings, and the responses that were not read."""
    present = {spot.reason for spot in reading.blind}
    blind, unread = names.BLIND.gauge(), names.PREDICTIONS_UNREAD.counter()
    for reason in BLIND_REASONS:
        blind.add_metric((reason,), float(reason in present))
    for reason, exchanges in reading.report.predictions_unread.items():
        unread.add_metric((reason,), exchanges)
    warnings = names.WARNINGS.gauge()
    warnings.add_metric((), len(reading.report.warnings))
    yield from (blind, unread, warnings)
