"""Condition about the sync: the controller does not have the recent counts of this pod."""

from __future__ import annotations

from ...errors import number
from ...report.schema import Report
from .blindness import Blindness
from .readings import View

AWAY_SECONDS = 180.0  # without a successful request; six of the longest intervals
UNPROFILED_SECONDS = 60.0  # after the start, within which document and profile come from the controller
UNACKNOWLEDGED_SECONDS = 900.0  # the controller stores its state every 10 minutes at the latest


def not_synced(view: View) -> Blindness | None:
    """Report that the controller cannot be reached, does not store the counts, or has no profile for this pod.

    It is never total: the pod counts and stays ready without the controller.
    """
    reading = view.reading
    status, report = reading.sync, reading.report
    if status is None:
        return None
    silent = reading.now - (status.last_success or report.started_at)
    if silent >= AWAY_SECONDS:
        since = f"for {silent / 60:.0f} min"
        why = status.problem or "its response takes long; look at its log and its load"
        text = f"The controller {status.control} has not had the counts of this pod {since}: {why}"
    elif status.oldest is not None and reading.now - status.oldest >= UNACKNOWLEDGED_SECONDS:
        minutes = (reading.now - status.oldest) / 60
        text = (
            f"The controller {status.control} answers and has not stored a tick that ended {minutes:.0f} min ago; "
            "look at its log and at pilotfish_fleet_holding"
        )
    elif _unprofiled(report, reading.now) and not status.no_monitor:
        why = status.problem or "it offers none for this version; look at spec.profiles and at the monitor's conditions"
        text = f"The controller gets no counts of this pod, because no profile is in force: {why}"
    else:
        return None
    dropped = f"; {number(status.dropped, 'tick')} had to be dropped so far" if status.dropped else ""
    return Blindness(f"{text}{dropped}", total=False)


def _unprofiled(report: Report, now: float) -> bool:
    return report.state == "unprofiled" and report.learning is None and now - report.started_at >= UNPROFILED_SECONDS
