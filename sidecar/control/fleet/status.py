"""The status of one detector of a fleet, for the manager: conditions, metrics and reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ....detectors.detection.results import MonitorStatus
from ..reasons import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetStatus:
    """The state of one detector for people and metrics.

    Attributes:
        monitor: evidence, effect sizes and episodes.
        version, profile_hash: what is monitored.
        expected: pods that should report.
        heard: those of them that reported lately.
        clock_off: uids of those of them whose clock differs from the controller's, so that their counts do not fit.
        holding: why the next tick is held longer than the grace; empty if it is not.
        holding_tick: this tick, None if none is held.
        closed_through: all ticks up to this one are closed; None before the first message.
        open_ticks: ticks that have counts and are not closed.
        refused: reports that were not counted, by reason.
        other_profiles: reports of other profiles by hash; the profile of this detector is `profile_hash`.
        dropped_ticks: ticks that were closed without their rows, because too few pods were heard.
        dropped_rows: rows of these ticks.
    """

    monitor: MonitorStatus
    version: str
    profile_hash: str
    expected: int
    heard: int
    clock_off: tuple[str, ...]
    holding: Reason | None
    holding_tick: int | None
    closed_through: int | None
    open_ticks: int
    refused: Mapping[Reason, int]
    other_profiles: Mapping[str, int]
    dropped_ticks: int
    dropped_rows: int
