"""Convert the state of the sync with the controller to metrics; a pod without a controller has none."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from . import cluster_names
from .scrape import ScrapeInput

OUTCOMES = ("failed", "ok", "refused")


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of the sync; none without a controller."""
    status = reading.sync
    if status is None:
        return
    info = cluster_names.SYNC_INFO.gauge()
    info.add_metric((status.monitor,), 1)
    yield info
    age = max(0.0, reading.now - status.oldest) if status.oldest is not None else 0.0
    for metric, value in (
        (cluster_names.SYNC_SUCCESS, status.last_success or 0.0),
        (cluster_names.SYNC_UNACKNOWLEDGED, status.unacknowledged),
        (cluster_names.SYNC_OLDEST_AGE, age),
    ):
        gauge = metric.gauge()
        gauge.add_metric((), value)
        yield gauge
    dropped, requests = cluster_names.SYNC_DROPPED.counter(), cluster_names.SYNC_REQUESTS.counter()
    dropped.add_metric((), status.dropped)
    made = dict(status.requests)
    for outcome in OUTCOMES:
        requests.add_metric((outcome,), made.get(outcome, 0))
    yield from (dropped, requests)
