"""Blocks of the Report about labels: their outcomes, and the losses that they measure."""

from __future__ import annotations

from typing import Literal

import msgspec


class LabelOutcome(msgspec.Struct, frozen=True):
    """The number of labels with one outcome: joined, direct, late, duplicate, unknown or invalid."""

    outcome: str
    labels: int


class LabelLag(msgspec.Struct, frozen=True):
    """Seconds from an exchange to its label: the median and the 95th percentile."""

    p50: float
    p95: float


class FeedbackStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The labels that arrived, and the predictions that wait for labels.

    Attributes:
        labels: labels by outcome since the counters began.
        pending: stored rows without a label.
        reused: exchanges whose request id an earlier exchange had.
        identified_ratio: share of the measured exchanges that carry a request id.
        coverage: labelled share of the predicted rows in the stored period.
        lag_buckets: (upper bound in seconds, labels) pairs; a bound of None means no limit.
        lag_seconds: sum of all lags.
        reason: why labels are only counted; empty if they are scored.
        unused: accepted labels without a loss, by reason.
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
    unused: dict[str, int] = {}


class LossEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean loss over `rows` rows with its interval; the ticks are None if the rows are not a range of ticks."""

    value: float
    low: float
    high: float
    rows: int
    first_tick: int | None = None
    last_tick: int | None = None


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """The loss of the model: in the reference, on labelled rows, and estimated without labels.

    Attributes:
        loss: the name of the loss of `task`.
        scale: the error with a loss of 1, for regression.
        realized: the loss of labelled rows in the recent ticks.
        since_onset: the loss since the onset of the open episode of the family `performance`.
        estimated: the estimate for all rows of the recent ticks, with or without labels.
        calibrated: whether the scores are probabilities; `calibration` gives the reason if they are not.
        believed: the value that you should use.
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
