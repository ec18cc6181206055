"""The Report: one immutable answer to everything a person or a program may ask about a model under watch.

The analyzer's worker makes a new one after each checkpoint and swaps it in; metrics, pages and the control loop only
read it. Times are epoch seconds, ticks are numbers of `tick_seconds`, ratios lie in [0, 1] except evidence (1 = alarm).
"""

from __future__ import annotations

from typing import Literal

import msgspec

FORMAT = 1

State = Literal["idle", "unprofiled", "watching"]


class Score(msgspec.Struct, frozen=True):
    """An effect size and the interval that the number of rows leaves open."""

    value: float
    low: float
    high: float


class Effects(msgspec.Struct, frozen=True, kw_only=True):
    """How far the ticks from `first_tick` to `last_tick` lie from the reference; `wasserstein` in reference sd.

    `wasserstein` and `ks` are None for categories, which have no order.
    """

    first_tick: int
    last_tick: int
    rows: int
    psi: Score
    jensen_shannon: Score
    chi_square: Score
    wasserstein: Score | None
    ks: Score | None
    missing_ratio: float
    missing_ratio_reference: float
    unseen_ratio: float
    out_of_range_ratio: float
    mismatches: int


class NewValue(msgspec.Struct, frozen=True):
    """A category that the reference has not, and in how many of the recent rows it was at least."""

    value: str
    rows: int


class FeatureReport(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of the profile: evidence of its own (1 = alarm; None in a pod), onset, effect sizes.

    `partners` are the columns that a residual's column is most related to.
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


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Features that share one part of the false-alarm budget; `evidence_ratio` 1 is an alarm."""

    name: str
    evidence_ratio: float
    threshold: float
    share: float
    alarms_total: int


RESTART = "restart"  # `closed_by` of an episode whose evidence was lost in a restart, the profile being the same


class EpisodeFeature(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that an episode names; `confirmed` by a false-discovery bound, `active` until it is back."""

    name: str
    confirmed: bool
    active: bool
    onset_tick: int
    joined_tick: int
    closed_tick: int | None


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One cause, from its alarm to its end; or, as another family sees it, `part_of` the episode that told of it."""

    id: str
    family: str
    opened_tick: int
    onset_tick: int
    closed_tick: int | None
    closed_by: str | None
    open: bool
    features: tuple[EpisodeFeature, ...]
    part_of: str | None = None


class ProfileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The profile in force."""

    hash: str
    model: str
    version: str
    created: str
    rows: int
    features: int
    excluded: tuple[str, ...]
    warnings: tuple[str, ...]


class ExchangeCount(msgspec.Struct, frozen=True):
    """Exchanges with one fate, as far as the analyzer decides it: measured, undecodable or dropped at a restart."""

    fate: str
    reason: str
    exchanges: int


class RowCount(msgspec.Struct, frozen=True):
    """Decoded rows of one model and side since the beginning of the counters."""

    model: str
    side: str
    rows: int


class TickStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Where the clock of detection stands; `open` are the ticks that still take rows.

    `rows_per_tick` is set where ticks are no times but so many rows after each other.
    """

    tick_seconds: float
    open: tuple[int, ...] = ()
    last_closed: int | None = None
    closed_total: int = 0
    late_rows: int = 0
    rows_per_tick: float | None = None


class FalseAlarmBudget(msgspec.Struct, frozen=True, kw_only=True):
    """The promise: at most `false_alarms` in `per_seconds`; `ticks_per_false_alarm` is the threshold that follows."""

    false_alarms: float
    per_seconds: float
    ticks_per_false_alarm: float
    tolerance: float
    ticks_used: int
    alarms_total: int


class QualityFinding(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with the recent rows as rows: `kind` is one of `detectors.quality`; it raises no alarm."""

    kind: str
    side: str
    column: str
    renamed_to: str
    since_tick: int
    rows: int
    share: float


class CheckpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The last checkpoint; `error` is empty while they succeed."""

    at: float | None = None
    failures_total: int = 0
    error: str = ""


class LabelOutcome(msgspec.Struct, frozen=True):
    """Labels that met one outcome: joined, direct, late, duplicate, unknown or invalid."""

    outcome: str
    labels: int


class LabelLag(msgspec.Struct, frozen=True):
    """Seconds from an exchange to its label: the median, and what 95 % of the labels stay below."""

    p50: float
    p95: float


class FeedbackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The labels that came, and the predictions that wait for theirs.

    `labels` are counted since the beginning of the counters; `pending` are rows that are kept without a label.
    `identified_ratio` is the share of measured exchanges that carry a request id; `coverage` the labelled share of the
    predicted rows of the time that is kept; `reused` counts exchanges whose id an earlier one had. `reason` says why
    labels are counted only, and is empty when they are judged.
    """

    labels: tuple[LabelOutcome, ...] = ()
    pending: int = 0
    reused: int = 0
    identified_ratio: float | None = None
    coverage: float | None = None
    lag: LabelLag | None = None
    lag_buckets: tuple[tuple[float | None, int], ...] = ()
    lag_seconds: float = 0.0
    reason: str = ""


class LossEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean loss over `rows` rows with its interval; ticks are None where it is no stretch of ticks."""

    value: float
    low: float
    high: float
    rows: int
    first_tick: int | None = None
    last_tick: int | None = None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """How well the model does: its loss in the reference, on labelled rows, and as estimated without labels.

    `loss` names the loss of the `task`, `scale` is a regression's error of loss 1. `realized` is of the recent ticks,
    `since_onset` of the open episode of the family performance. `estimated` is of the recent ticks' rows, labelled or
    not; `calibrated` says whether its scores may be taken for probabilities, `calibration` why not, empty where they
    may. `believed` names the one to go by.
    """

    task: str
    loss: str
    label: str
    prediction: str
    score: str | None
    scale: float | None = None
    reference: float
    realized: LossEstimate | None = None
    since_onset: LossEstimate | None = None
    estimated: LossEstimate | None = None
    calibrated: bool = False
    calibration: str = ""
    believed: Literal["realized", "estimated", "none"] = "none"
    labelled_rows: int = 0


class LearningStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A profile in the making, out of rows of the traffic; `kind` rebaseline where a person asked for it.

    `state` gathering: `rows` of the `wanted` are stored; building: a process makes the profile, `progress` of 1 is
    done; gave_up: `tries` came to nothing, `problem` says why the last one did.
    """

    id: str
    kind: Literal["learn", "rebaseline"]
    state: Literal["building", "gathering", "gave_up"] = "gathering"
    rows: int = 0
    wanted: int
    tries: int = 1
    progress: float = 0.0
    problem: str = ""
    by: str = ""
    reason: str = ""
    began: float
    gathered: float | None = None


class StreamDetectorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A detector of River on one number a tick: `changes` are what it called one. No budget: it raises no alarm.

    `value` is the last number, of `values` that its state is made of; `problem` says why it is not fed.
    """

    type: str
    stream: str
    value: float | None
    values: int
    changes: int
    last_change_tick: int | None
    problem: str = ""
    budget: Literal["none"] = "none"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided of profiles and episodes, and by whom: one line of the audit. `old` and `new` are hashes."""

    time: float
    action: str
    outcome: str
    by: str = ""
    reason: str = ""
    old: str = ""
    new: str = ""
    rows: int = 0
    episode: str = ""


class StoredRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of the traffic on disk: `recent` ones, or those to learn from; `not_kept` since the counters began."""

    store: str
    rows: int
    bytes: int
    not_kept: int
    torn_bytes: int = 0


class UnprofiledColumn(msgspec.Struct, frozen=True):
    """What is known of a column without a profile: values seen and how many of them were missing."""

    name: str
    side: str
    values: int
    missing: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the analyzer knows; `state` idle means nothing is decoded, for the `reason` given."""

    format: int = FORMAT
    made_at: float
    started_at: float
    state: State
    reason: str = ""
    mode: str = ""
    model: str = ""
    version: str = ""
    profile: ProfileInfo | None = None
    counts: tuple[ExchangeCount, ...] = ()
    rows: tuple[RowCount, ...] = ()
    type_mismatches: int = 0
    ticks: TickStatus
    families: tuple[Family, ...] = ()
    features: tuple[FeatureReport, ...] = ()
    episodes: tuple[Episode, ...] = ()
    budget: FalseAlarmBudget | None = None
    checkpoint: CheckpointStatus = CheckpointStatus()
    columns: tuple[UnprofiledColumn, ...] = ()
    findings: tuple[QualityFinding, ...] = ()
    findings_total: dict[str, int] = {}
    feedback: FeedbackStatus = FeedbackStatus()
    performance: Performance | None = None
    learning: LearningStatus | None = None
    kept_rows: tuple[StoredRows, ...] = ()
    decisions: tuple[AuditEntry, ...] = ()
    streams: tuple[StreamDetectorStatus, ...] = ()
    warnings: tuple[str, ...] = ()
