"""Blocks of the Report about drift: effect sizes, features, families, episodes and the false-alarm budget."""

from __future__ import annotations

import msgspec

RESTART = "restart"  # `closed_by` of an episode whose evidence a restart lost; the profile is still the same


class ScoreReport(msgspec.Struct, frozen=True):
    """A statistic of the rows, and a 95 % interval for the distance of the distributions that they come from.

    The interval narrows as the number of rows grows. The statistic contains the noise of few rows.
    """

    value: float
    low: float
    high: float


class ChangeReport(msgspec.Struct, frozen=True, kw_only=True):
    """The change of a feature that is clearest against its noise.

    `measure` is "mean" or "spread" (the standard deviation), both in the unit of the values, or a share of the rows:
    "above", "below" (the end of the reference range, `of`), "infinite", "missing", "unseen", "share" (of one value,
    `of`) or "range" (of the values in an interval, `of`). `before` is that of the reference. `sd` is the distance of
    the means in reference standard deviations, or the ratio of the spreads.
    """

    measure: str
    of: str
    before: float
    after: float
    sd: float | None = None


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """Effect sizes of the ticks from `first_tick` to `last_tick` against the reference.

    `jensen_shannon_distance` is in base 2. `wasserstein` is the distance of the finite values, in standard deviations
    of the reference. It is None for a constant reference. `wasserstein` and `ks` are None for categories, because
    categories have no order, and without values.
    """

    first_tick: int
    last_tick: int
    rows: int
    psi: ScoreReport
    jensen_shannon_distance: ScoreReport | None = None  # reports of format 1 lack it
    chi_square: ScoreReport
    wasserstein: ScoreReport | None
    ks: ScoreReport | None
    missing_ratio: float
    missing_ratio_reference: float
    unseen_ratio: float
    out_of_range_ratio: float
    mismatches: int
    change: ChangeReport | None = None


class DistributionReport(msgspec.Struct, frozen=True):
    """The shares of the rows in at most 13 bins: in the reference, and in the ticks of the effect sizes."""

    bins: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


class NewValue(msgspec.Struct, frozen=True):
    """A category that the reference does not have, with a lower bound on its count in the recent rows."""

    value: str
    rows: int


class FeatureReport(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of the profile: its own evidence, onset and effect sizes.

    `evidence_ratio` is evidence over threshold (1 = alarm); it is None where detection does not run. `partners` are
    the columns with the largest partial correlation to the column of a residual. `column` is the column that the
    feature describes; it is empty for relations and losses, and in reports of earlier versions. `distribution`
    is of the same rows as `effects`.
    """

    name: str
    side: str
    family: str
    kind: str = ""
    evidence_ratio: float | None = None
    onset_tick: int | None = None
    episode_id: str | None = None
    effects: Effects | None = None
    partners: tuple[str, ...] = ()
    new_values: tuple[NewValue, ...] = ()
    column: str = ""
    distribution: DistributionReport | None = None


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Features that share one part of the false-alarm budget; an `evidence_ratio` of 1 is an alarm."""

    name: str
    evidence_ratio: float
    threshold: float
    share: float
    alarms_total: int


class EpisodeFeatureReport(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that an episode names.

    `confirmed` means that the e-BH procedure names it; `active` means that it has not recovered yet.
    """

    name: str
    confirmed: bool
    active: bool
    onset_tick: int
    joined_tick: int
    closed_tick: int | None


class EpisodeReport(msgspec.Struct, frozen=True, kw_only=True):
    """One cause, from its alarm to its end.

    `part_of` is the id of the episode in which another family has already reported the same cause.
    """

    id: str
    family: str
    opened_tick: int
    onset_tick: int
    closed_tick: int | None
    closed_by: str | None
    open: bool
    features: tuple[EpisodeFeatureReport, ...]
    part_of: str | None = None


class FalseAlarmBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The promise: at most `false_alarms` in `per_seconds`.

    `ticks_per_false_alarm` is the same budget in ticks; the thresholds follow from it.
    """

    false_alarms: float
    per_seconds: float
    ticks_per_false_alarm: float
    tolerance: float
    ticks_used: int
    alarms_total: int
