"""Builds the Report of one monitor from the status of its fleet, with the fields that the control loop reads."""

from __future__ import annotations

from ....detectors.detection.mismatches import reference_warnings
from ....detectors.detection.results import MonitorStatus
from ....detectors.profile.profile import Profile
from ...report import convert
from ...report import schema as report
from .accepted import AcceptedDocument


def build_report(
    document: AcceptedDocument,
    version: str,
    profile: Profile | None,
    status: MonitorStatus | None,
    *,
    made_at: float,
    started_at: float,
) -> report.Report:
    """Return the report of `version`; `made_at` is when the facts in it were true, in epoch seconds."""
    drift, spec = document.drift, document.monitor.spec
    ticks = status.ticks_closed if status is not None else 0
    families = convert.families(status) if status is not None else ()
    features = convert.features(profile, status) if profile is not None and status is not None else ()
    return report.Report(
        made_at=made_at,
        started_at=started_at,
        state="watching" if profile is not None else "unprofiled",
        reason="" if profile is not None else "no profile is in force: the traffic is measured, drift is not",
        mode=spec.mode,
        model=spec.model.name or (profile.model if profile is not None else ""),
        version=version or (profile.version if profile is not None else ""),
        profile=convert.profile_info(profile) if profile is not None else None,
        ticks=report.TickStatus(
            tick_seconds=drift.tick_seconds,
            last_closed=status.tick if status is not None else None,
            closed_total=ticks,
        ),
        families=families,
        features=features,
        episodes=convert.episodes(status.episodes) if status is not None else (),
        budget=convert.budget(drift, ticks, sum(family.alarms_total for family in families)),
        warnings=reference_warnings(profile, drift, status.density if status is not None else None) if profile else (),
    )
