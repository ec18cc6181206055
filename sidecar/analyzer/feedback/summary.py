"""Build the blocks `feedback` and `performance` of the report.

`feedback` describes the labels that arrived. `performance` compares the loss of the model with the reference. Neither
changes any state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ....detectors.detection.results import EpisodeStatus
from ....detectors.losses.task import LOSS
from ....detectors.performance.estimate import EstimatedLoss, estimate
from ....detectors.performance.realized import RealizedLoss, loss_moments, realized
from ....detectors.profile.performance import PerformanceSpec
from ....detectors.profile.profile import Profile
from ....detectors.summaries.windows import Windows, WindowSum
from ...labels.labels import OUTCOMES
from ...report import schema as report
from ..counters import IDENTIFIED, LABELS, LABELS_UNUSED, MEASURED, REUSED_IDS, Counters
from . import lags
from .joiner import LabelJoiner

FAMILY = "performance"
RECENT_TICKS = 60
MIN_LABELS = 30  # with fewer labelled rows, a calibrated estimate is more precise
NO_SCORE = "the profile has no score column to estimate a loss from"
LOSSES = {
    "classification": "share of wrong classes",
    "ranking": "share of the other class that a row is ranked behind",
    "regression": "absolute error over the scale, at most 1",
}


def feedback(joiner: LabelJoiner, counters: Counters) -> report.FeedbackStatus:
    """Return the block `feedback`, from counters and store."""
    measured, found = counters.get(MEASURED.key()), lags.buckets(counters)
    return report.FeedbackStatus(
        labels=tuple(report.LabelOutcome(outcome, counters.get(LABELS.key(outcome))) for outcome in OUTCOMES),
        pending=joiner.store.pending,
        reused=counters.get(REUSED_IDS.key()),
        identified_ratio=counters.get(IDENTIFIED.key()) / measured if measured else None,
        coverage=joiner.store.coverage,
        lag=lags.summary(found),
        lag_buckets=found,
        lag_seconds=lags.seconds(counters),
        reason=joiner.reason,
        unused={reason: amount for (reason,), amount in counters.of(LABELS_UNUSED).items()},
    )


def performance(profile: Profile, windows: Windows, episodes: Iterable[EpisodeStatus]) -> report.Performance | None:
    """Return the block `performance`, from the counts of closed ticks; None if the profile has no label column."""
    spec = profile.performance
    if spec is None or LOSS not in profile.index:
        return None
    recent = windows.latest(RECENT_TICKS)
    onset = min((item.onset_tick for item in episodes if item.open and item.family == FAMILY), default=None)
    since = windows.since(onset) if onset is not None else None
    labelled = realized(profile, recent.counts) if recent else None
    expected = estimate(profile, recent.counts) if recent else None
    since_onset = realized(profile, since.counts) if since else None
    feature = profile.feature(LOSS)
    return report.Performance(
        task=spec.task,
        loss=LOSSES[spec.task],
        label=spec.label,
        prediction=spec.prediction,
        score=spec.score,
        scale=spec.scale,
        reference=loss_moments(feature.bins, feature.reference_counts)[1],
        realized=_realized(labelled, recent),
        since_onset=_realized(since_onset, since),
        estimated=_estimated(expected),
        calibrated=expected is not None and expected.calibrated,
        calibration=expected.reason if expected else _no_estimate_reason(spec),
        believed=_loss_to_use(labelled, expected),
        labelled_rows=labelled.rows + labelled.without if labelled else 0,
    )


def _loss_to_use(
    labelled: RealizedLoss | None, expected: EstimatedLoss | None
) -> Literal["estimated", "none", "realized"]:
    """Return the loss to use: a calibrated estimate until there are `MIN_LABELS` labels, then the realized loss."""
    usable = expected is not None and expected.calibrated
    if labelled is not None and (labelled.rows >= MIN_LABELS or not usable):
        return "realized"
    return "estimated" if usable else "none"


def _no_estimate_reason(spec: PerformanceSpec) -> str:
    return NO_SCORE if spec.score is None else "no rows yet"


def _realized(found: RealizedLoss | None, window: WindowSum | None) -> report.LossEstimate | None:
    if found is None or window is None:
        return None
    return report.LossEstimate(
        value=found.value,
        low=found.low,
        high=found.high,
        rows=found.rows,
        first_tick=window.first,
        last_tick=window.last,
    )


def _estimated(found: EstimatedLoss | None) -> report.LossEstimate | None:
    if found is None:
        return None
    return report.LossEstimate(value=found.value, low=found.low, high=found.high, rows=found.rows)
