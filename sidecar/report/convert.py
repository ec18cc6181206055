"""Converts results of the detectors to blocks of the Report.

Most blocks have fields of a result, under the same names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from ...detectors.comparisons.effects import EffectSizes
from ...detectors.detection.results import EpisodeStatus, MonitorStatus
from ...detectors.profile.profile import Profile
from ...detectors.quality.findings import Finding
from ...detectors.settings import DriftSettings
from .schema import Effects, EpisodeReport, FalseAlarmBudget, Family, FeatureReport, ProfileInfo, QualityFinding


def profile_info(profile: Profile) -> ProfileInfo:
    """Return the summary of `profile`, with excluded columns and all warnings."""
    return ProfileInfo(
        hash=profile.hash,
        model=profile.model,
        version=profile.version,
        created=profile.created,
        rows=profile.reference.rows,
        features=len(profile.features),
        excluded=tuple(f"{item.name}: {item.reason}" for item in profile.excluded),
        warnings=(*profile.warnings, *(f"{item.name}: {text}" for item in profile.features for text in item.warnings)),
    )


def features(profile: Profile, status: MonitorStatus) -> tuple[FeatureReport, ...]:
    """Return the features of `status`, a status of `profile`, in the order of the reference's columns, relations last.

    Without families (no detection) they have no evidence.
    """
    kinds = {feature.name: feature.kind for feature in profile.by_column}
    places = {name: place for place, name in enumerate(kinds)}
    found = tuple(
        msgspec.structs.replace(
            msgspec.convert(item, FeatureReport, from_attributes=True),
            kind=kinds[item.name],
            column=profile.column(item.name),
        )
        for item in sorted(status.features, key=lambda item: places[item.name])
    )
    if status.families:
        return found
    return tuple(msgspec.structs.replace(item, evidence_ratio=None) for item in found)


def alarm_feature(item: Mapping[str, Any], family: str) -> FeatureReport:
    """Return a feature of an alarm of `family`, given as plain values; an alarm does not say its side."""
    return msgspec.convert({"side": "input", "family": family, **item}, FeatureReport)


def families(status: MonitorStatus) -> tuple[Family, ...]:
    """Return the families of `status` with their alarms."""
    return tuple(msgspec.convert(item, Family, from_attributes=True) for item in status.families)


def episodes(found: Iterable[EpisodeStatus]) -> tuple[EpisodeReport, ...]:
    """Return the episodes of a status, in the given order."""
    return tuple(msgspec.convert(item, EpisodeReport, from_attributes=True) for item in found)


def effects(sizes: EffectSizes) -> Effects:
    """Return the effect sizes of one feature."""
    return msgspec.convert(sizes, Effects, from_attributes=True)


def findings(found: Iterable[Finding]) -> tuple[QualityFinding, ...]:
    """Return the findings about data quality, in the given order."""
    return tuple(msgspec.convert(item, QualityFinding, from_attributes=True) for item in found)


def budget(drift: DriftSettings, ticks: int, alarms: int) -> FalseAlarmBudget:
    """Return the budget that `drift` sets, with the `ticks` and `alarms` so far."""
    return FalseAlarmBudget(
        false_alarms=drift.false_alarms,
        per_seconds=drift.per_seconds,
        ticks_per_false_alarm=drift.ticks_per_false_alarm,
        tolerance=drift.tolerance,
        ticks_used=ticks,
        alarms_total=alarms,
    )
