"""Build the tables of detection from a profile and the settings.

`monitor` calls `family_tables`. The false-alarm budget is divided here: among the families that the profile has, and
within a family among its features.
"""

from __future__ import annotations

import numpy as np

from ..batch import Floats
from ..binning.losses import LossBins, tested_bins
from ..errors import ProfileError
from ..evalues.bank import build_bank
from ..evalues.bounds import log_inverse_risk_of, log_reference_evidence
from ..profile.feature import Feature
from ..profile.profile import Profile
from ..settings import FAMILY_SHARES, DriftSettings
from .shared_causes import SharedCauses
from .tables import FamilyTable, FeatureTable

LONGEST_HOLD_DAYS = 3  # limit of `reopen_ticks`, however long the reference is


def family_tables(profile: Profile, settings: DriftSettings) -> tuple[FamilyTable, ...]:
    """Return the families that the profile has features for; their shares of the budget sum to one."""
    left_out = _ignored(profile, settings)
    monitored = {
        family: [f for f in profile.features if f.family == family and f.watched and f.name not in left_out]
        for family in FAMILY_SHARES
    }
    present = {family: features for family, features in monitored.items() if features}
    total = sum(FAMILY_SHARES[family] for family in present)
    return tuple(_family(profile, settings, name, present[name], FAMILY_SHARES[name] / total) for name in present)


def _ignored(profile: Profile, settings: DriftSettings) -> set[str]:
    """Return the features that raise no alarm: ignored ones, and all features that an ignored column enters.

    These are the features that describe the column, its residual, its partners' residuals, and features of all columns.
    """
    columns = frozenset(settings.ignore).intersection(profile.input_columns)
    shared_causes = SharedCauses.of(profile)
    described = {name for name, made in profile.column_transforms.items() if made.column in settings.ignore}
    joint = {
        name for name, causes in shared_causes.affected_by.items() if shared_causes.concerns.get(name, causes) & columns
    }
    return {*settings.ignore, *described, *joint}


def _family(profile: Profile, settings: DriftSettings, name: str, features: list[Feature], share: float) -> FamilyTable:
    tables: list[FeatureTable] = []
    weights: list[Floats] = []
    start = 0
    for feature in features:
        tolerance = _tolerance(settings, feature)
        bank = build_bank(feature.bins, feature.training, tolerance)
        if len(bank.groups) != len(feature.variance_inflation):
            raise ProfileError(
                f"feature {feature.name!r} has {len(feature.variance_inflation)} variance inflations for "
                f"{len(bank.groups)} alternatives; build the profile with this version of pilotfish"
            )
        alternatives = slice(start, start + len(bank.groups))
        tables.append(_feature(profile, settings, feature, alternatives, tolerance))
        weights.append(np.log(bank.weights))
        start = alternatives.stop
    return FamilyTable(
        name=name,
        profile_hash=profile.hash,
        share=share,
        threshold=settings.ticks_per_false_alarm / share,
        features=tuple(tables),
        starts=np.array([table.alternatives.start for table in tables], dtype=np.int64),
        log_weights=np.concatenate(weights),
        log_reference_evidence=np.concatenate(
            [np.repeat(t.log_reference_evidence[:, None], len(t.variance_inflation), axis=1) for t in tables], axis=1
        ),
        rows_per_tick=_live_rows(profile, settings) if name != "performance" else _labels_per_tick(profile),
        prediction_traffic=_traffic(profile, settings) if name == "performance" else None,
        reopen_ticks=max(
            min(_live_ticks(profile, settings), LONGEST_HOLD_DAYS * settings.day_ticks), settings.day_ticks
        ),
    )


def _feature(
    profile: Profile, settings: DriftSettings, feature: Feature, alternatives: slice, tolerance: float
) -> FeatureTable:
    slots = feature.slots if feature.slots is not None and feature.slots.resolved(settings.tick_seconds) else None
    measured = feature if slots is None else slots
    variance_inflation, growth = measured.variance_inflation, measured.inflation_growth
    if tolerance < profile.reference.tolerance:
        growth = variance_inflation  # it was measured for effects within a larger tolerance
    slot_count = 1 if slots is None else slots.kind.count
    log_inverse_risk = log_inverse_risk_of(sum(len(one.variance_inflation) for one in profile.features), slot_count)
    tick_seconds = None if slots is None else settings.tick_seconds
    bin_slice = _bin_slice(profile, feature)
    made = FeatureTable(
        feature,
        bin_slice,
        alternatives,
        variance_inflation,
        growth,
        log_reference_evidence(log_inverse_risk, slot_count),
        log_inverse_risk,
        tolerance,
        tick_seconds,
    )
    if slots is None:
        made.at(0)  # compile now, not in the first tick
    return made


def _bin_slice(profile: Profile, feature: Feature) -> slice:
    """Return the position of a feature's tested bins in a flat counts array."""
    first = int(profile.offsets[profile.index[feature.name]])
    tested = range(feature.bins.size)[tested_bins(feature.bins)]
    return slice(first + tested.start, first + tested.stop)


def _tolerance(settings: DriftSettings, feature: Feature) -> float:
    if isinstance(feature.bins, LossBins):
        return settings.loss_tolerance
    return settings.feature_tolerance.get(feature.name, settings.tolerance)


def _labels_per_tick(profile: Profile) -> float | None:
    """Return the labels per tick above which evidence is scaled down.

    Labels that arrive together cover consecutive rows, the case for which variance inflation was measured.
    """
    return None if profile.performance is None else profile.performance.rows_at_once


def _traffic(profile: Profile, settings: DriftSettings) -> tuple[slice, float] | None:
    """Return the bins of the predictions that labels belong to, and their reference rows per live tick.

    None if they are unknown.
    """
    usual = _live_rows(profile, settings)
    if usual is None or profile.performance is None or profile.performance.prediction not in profile.index:
        return None
    return _bin_slice(profile, profile.feature(profile.performance.prediction)), usual


def _live_ticks(profile: Profile, settings: DriftSettings) -> int:
    """Return the longest block of the reference, in live ticks."""
    reference = profile.reference
    scale = 1.0 if reference.tick_seconds is None else reference.tick_seconds / settings.tick_seconds
    return round(reference.longest_block * scale)


def _live_rows(profile: Profile, settings: DriftSettings) -> float | None:
    """Return the reference rows in a tick as wide as a live one."""
    return profile.reference.rows_in_tick(settings.tick_seconds)
