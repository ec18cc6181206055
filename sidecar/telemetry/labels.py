"""Convert the blocks `feedback` and `performance` of the report to metrics."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from ..report.schema import FeedbackStatus, Performance, Report
from . import names
from .scrape import ScrapeInput


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of feedback and performance."""
    yield from _feedback(reading.report.feedback)
    yield from performance(reading.report)


def performance(report: Report) -> Iterator[Family]:
    """Yield the loss of the model, if the report has one."""
    if report.performance is not None:
        yield _loss(report.model, report.performance)


def _feedback(feedback: FeedbackStatus) -> Iterator[Family]:
    outcomes, reused, pending = names.FEEDBACK.counter(), names.REUSED_IDS.counter(), names.FEEDBACK_PENDING.gauge()
    for item in feedback.labels:
        outcomes.add_metric((item.outcome,), item.labels)
    reused.add_metric((), feedback.reused)
    pending.add_metric((), feedback.pending)
    unused = names.LABELS_UNUSED.counter()
    for reason, labels in feedback.unused.items():
        unused.add_metric((reason,), labels)
    yield from (outcomes, reused, pending, unused)
    for metric, value in (
        (names.FEEDBACK_COVERAGE, feedback.coverage),
        (names.REQUEST_ID_RATIO, feedback.identified_ratio),
    ):
        family = metric.gauge()
        if value is not None:
            family.add_metric((), value)
        yield family
    yield _lag(feedback)


def _lag(feedback: FeedbackStatus) -> Family:
    """Return the lags as cumulative buckets; the bucket +Inf contains all lags."""
    family, below = names.FEEDBACK_LAG.histogram(), 0
    buckets = []
    for edge, labels in feedback.lag_buckets:
        below += labels
        buckets.append(("+Inf" if edge is None else f"{edge:g}", below))
    if buckets:
        family.add_metric((), buckets, feedback.lag_seconds)
    return family


def _loss(model: str, performance: Performance) -> Family:
    family = names.MODEL_LOSS.gauge()
    family.add_metric((model, "reference"), performance.reference)
    for kind, loss in (("realized", performance.realized), ("estimated", performance.estimated)):
        if loss is not None:
            family.add_metric((model, kind), loss.value)
    return family
