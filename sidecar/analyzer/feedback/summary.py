"""The Report's blocks `feedback` and `performance`: what came, and what it says of the model."""

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
from ...report import schema as report
from ..counters import IDENTIFIED, LABELS, MEASURED, REUSED_IDS, Counters
from . import lags
from .joiner import LabelJoiner
from .labels import OUTCOMES

FAMILY = "performance"
RECENT_TICKS = 60
FEWEST_LABELS = 30  # below so many labelled rows a calibrated estimate says more
SCORELESS = "the profile has no score column to estimate a loss from"
LOSSES = {
    "classification": "share of wrong classes",
    "ranking": "share of the other class that a row is ranked behind",
    "regression": "absolute error over the scale, at most 1",
}


def feedback(joiner: LabelJoiner, counters: Counters) -> report.FeedbackStatus:
    """Return how many labels arrived, from the counters and the store."""
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
    )


def performance(profile: Profile, windows: Windows, episodes: Iterable[EpisodeStatus]) -> report.Performance | None:
    """Return how well the model does, by the counts of the past; None where the profile knows no label."""
    said = profile.performance
    if said is None or LOSS not in profile.index:
        return None
    recent = windows.latest(RECENT_TICKS)
    onset = min((item.onset_tick for item in episodes if item.open and item.family == FAMILY), default=None)
    since = windows.since(onset) if onset is not None else None
    labelled = realized(profile, recent.counts) if recent else None
    expected = estimate(profile, recent.counts) if recent else None
    later = realized(profile, since.counts) if since else None
    feature = profile.feature(LOSS)
    return report.Performance(
        task=said.task,
        loss=LOSSES[said.task],
        label=said.label,
        prediction=said.prediction,
        score=said.score,
        scale=said.scale,
        reference=loss_moments(feature.bins, feature.reference_counts)[1],
        realized=_realized(labelled, recent),
        since_onset=_realized(later, since),
        estimated=_estimated(expected),
        calibrated=expected is not None and expected.calibrated,
        calibration=expected.reason if expected else _unestimated(said),
        believed=_believed(labelled, expected),
        labelled_rows=labelled.rows + labelled.without if labelled else 0,
    )


def _believed(
    labelled: RealizedLoss | None, expected: EstimatedLoss | None
) -> Literal["estimated", "none", "realized"]:
    """Labels are believed as soon as there are some; an estimate before that, if no label contradicts it."""
    usable = expected is not None and expected.calibrated
    if labelled is not None and (labelled.rows >= FEWEST_LABELS or not usable):
        return "realized"
    return "estimated" if usable else "none"


def _unestimated(said: PerformanceSpec) -> str:
    return SCORELESS if said.score is None else "no rows yet"


def _realized(found: RealizedLoss | None, stretch: WindowSum | None) -> report.LossEstimate | None:
    if found is None or stretch is None:
        return None
    return report.LossEstimate(
        value=found.value,
        low=found.low,
        high=found.high,
        rows=found.rows,
        first_tick=stretch.first,
        last_tick=stretch.last,
    )


def _estimated(found: EstimatedLoss | None) -> report.LossEstimate | None:
    if found is None:
        return None
    return report.LossEstimate(value=found.value, low=found.low, high=found.high, rows=found.rows)
