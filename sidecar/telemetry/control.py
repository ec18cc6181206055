"""Convert the status of the control loop to metrics: intents by outcome, and the outbox."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import Metric as Family

from ..report.control_status import ControlStatus
from . import names
from .scrape import ScrapeInput


def collect(reading: ScrapeInput) -> Iterator[Family]:
    """Yield the families of the control loop; none without a loop."""
    if reading.control is not None:
        yield from families(reading.control)


def families(status: ControlStatus) -> Iterator[Family]:
    """Yield the families of one control loop."""
    intents, entries, unsaved = names.INTENTS.counter(), names.OUTBOX.gauge(), names.OUTBOX_UNSAVED.gauge()
    for kind, outcome, reason, amount in status.totals:
        intents.add_metric((kind, outcome, reason), amount)
    entries.add_metric(("dead",), status.dead)
    entries.add_metric(("pending",), status.pending)
    unsaved.add_metric((), status.unsaved)
    waiting = names.OUTBOX_WAITING.gauge()
    for kind, receiver, amount in status.waiting:
        waiting.add_metric((kind, receiver), amount)
    damaged = names.OUTBOX_DAMAGED.gauge()
    damaged.add_metric((), status.damaged)
    yield from (intents, entries, waiting, unsaved, damaged)
