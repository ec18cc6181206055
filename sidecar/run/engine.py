"""The sequential detectors of `pilotfish run`, in the form that the analyzer takes them."""

from __future__ import annotations

from typing import Any

from ...detectors.detection.monitor import DriftMonitor
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings


def engine(profile: Profile, settings: DriftSettings, state: dict[str, Any] | None) -> DriftMonitor:
    """Return the sequential detectors for `profile`, restored from `state`; new ones if `state` is empty."""
    return DriftMonitor.from_state(profile, settings, state) if state else DriftMonitor(profile, settings)
