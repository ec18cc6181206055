"""The table of conditions, and the watch that evaluates it once a second and logs each blind spot once.

To add a condition: write it in one of the modules of this package, add a line to `CONDITIONS`, and its reason to
`BLIND_REASONS`. A condition must be pure and cheap; it runs in the event loop.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from ...report.schema import BlindSpot
from . import columns, labels, names, proxy, sync, traffic
from .blindness import Blindness, Condition
from .history import History
from .readings import Reading, View

_LOG = logging.getLogger("pilotfish.visibility")

GRACE_SECONDS = 5.0  # a process that starts or restarts is not logged; GET /readyz has no grace
IMMEDIATE: Mapping[str, Condition] = MappingProxyType(
    {
        "idle": proxy.idle,
        "no_proxy": proxy.no_proxy,
        "no_reader": proxy.no_reader,
        "upstream_unreachable": proxy.upstream_unreachable,
    }
)
CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        **IMMEDIATE,
        "refused": proxy.refused,
        "opaque": traffic.opaque,
        "not_recorded": traffic.not_recorded,
        "undecoded": traffic.undecoded,
        "no_prediction_requests": traffic.no_prediction_requests,
        "no_profile": names.no_profile,
        "not_synced": sync.not_synced,
        "nothing_watched": names.nothing_watched,
        "inputs_absent": columns.inputs_absent,
        "columns_absent": columns.columns_absent,
        "predictions_unread": traffic.predictions_unread,
        "predictions_absent": columns.predictions_absent,
        "profile_mismatch": columns.profile_mismatch,
        "labels_unused": labels.labels_unused,
        "unknown_names": names.unknown_names,
        "late_rows": traffic.late_rows,
    }
)
UNCHECKED = (
    "Whether this part of the traffic is measured cannot be found out, because of a defect; see the log, and report it"
)
DELAYED = frozenset(["no_proxy", "no_reader", "upstream_unreachable"])


class BlindSpotWatch:
    """The present blind spots: `update` it with a reading once a second, then read `spots`."""

    def __init__(self) -> None:
        self._history = History()
        self._logged: dict[str, bool] = {}  # reason -> whether it was total
        self.spots: tuple[BlindSpot, ...] = ()

    def update(self, reading: Reading) -> None:
        """Evaluate all conditions, and log the blind spots that appeared or ended since the last call."""
        self._history.add(reading.totals())
        since = {spot.reason: spot.since for spot in self.spots}
        view = View(reading, self._history, frozenset(since))
        self.spots = blind_spots(CONDITIONS, view, since)
        known_down = not DELAYED.isdisjoint(self._logged)  # no process is starting: one reason follows another
        for spot in self.spots:
            starting = spot.reason in DELAYED and not known_down and reading.now - spot.since < GRACE_SECONDS
            known = spot.reason in self._logged and self._logged[spot.reason] >= spot.total
            if not starting and not known:
                self._logged[spot.reason] = spot.total
                _LOG.warning("%s (%s): %s", "blind" if spot.total else "partly blind", spot.reason, spot.text)
        present = {spot.reason for spot in self.spots}
        for reason in [reason for reason in self._logged if reason not in present]:
            del self._logged[reason]
            _LOG.info("no longer blind (%s)", reason)


def blind_spots(conditions: Mapping[str, Condition], view: View, since: Mapping[str, float]) -> tuple[BlindSpot, ...]:
    """Return the blind spots of `view`, total ones first; `since` has the times of those that are known already."""
    found = []
    for reason, condition in conditions.items():
        try:
            blindness = condition(view)
        except Exception:  # a defect of a condition must not end the analyzer, and not look as if all were well
            _report_defect(reason)
            blindness = Blindness(UNCHECKED, total=False)
        if blindness is not None:
            began = since.get(reason, view.reading.now)
            found.append(BlindSpot(reason=reason, text=blindness.text, since=began, total=blindness.total))
    return tuple(sorted(found, key=lambda spot: not spot.total))


@cache
def _report_defect(reason: str) -> None:
    """Log the present exception, once per reason."""
    _LOG.exception("the check for the blind spot %s failed; this is a defect, please report it", reason)
