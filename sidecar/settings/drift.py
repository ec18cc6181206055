"""Converts the block `drift` of a document to the settings of detection."""

from __future__ import annotations

from ...detectors.settings import DriftSettings
from .document import Drift


def drift_settings(drift: Drift) -> DriftSettings:
    """Return the settings of detection in `drift`; raise DetectorError for a value that detection refuses."""
    return DriftSettings(
        tick_seconds=drift.tick,
        false_alarms=drift.false_alarms.count,
        per_seconds=drift.false_alarms.per,
        tolerance=drift.tolerance,
        feature_tolerance={name: item.tolerance for name, item in drift.features.items() if item.tolerance is not None},
        ignore=tuple(sorted(name for name, item in drift.features.items() if item.ignore)),
        loss_tolerance=drift.performance.tolerance,
        timezone=drift.timezone,
    )
