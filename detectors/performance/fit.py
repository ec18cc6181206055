"""Fit the loss of a task on labelled reference rows.

`reference.builder` stores the transform and the specification in the profile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..batch import Bools, Column, Floats, missing_mask
from ..binning.losses import LossBins
from ..binning.numeric import NumericBins, to_floats
from ..errors import ProfileError, shown
from ..losses.functions import AbsoluteLoss, LossFunction, RankingLoss, ZeroOneLoss, classes, score_quantiles
from ..losses.task import BY_SCORE, LOSS
from ..profile.performance import PerformanceSpec, ScoreCalibration
from ..transforms.base import Block
from ..transforms.loss import LossByScore, LossTransform
from .calibration import score_calibration
from .roles import LabelRoles, usual_classes

LARGEST = 0.95  # quantile of the absolute errors that counts as a loss of 1
LEVELS = 6  # loss levels of a regression or a ranking
YES = ("1", "yes", "y", "positive", "pos")  # names of the positive class, if one of two classes has such a name


@dataclass(frozen=True)
class FittedLoss:
    """A fitted loss.

    Attributes:
        transform: computes the losses.
        bins: of the feature "loss".
        usable: [rows] which reference rows have a loss.
        performance: for the profile.
    """

    transform: LossTransform
    bins: LossBins
    usable: Bools
    performance: PerformanceSpec


def fit_loss(roles: LabelRoles, whole: Block, training: Bools, score_bins: NumericBins | None) -> FittedLoss:
    """Return the loss of reference rows.

    Args:
        roles: the columns to compare.
        whole: all rows, labelled or not, with the columns of `roles`.
        training: [rows] true for the training split.
        score_bins: bins of the score's feature; without them there is no estimate.

    Raises:
        ProfileError: too few labelled rows, or columns that do not fit the task.
    """
    label, prediction = whole.columns[roles.label], whole.columns[roles.prediction]
    labelled = ~missing_mask(label)
    loss = _loss(roles, label.take(training & labelled), prediction.take(training & labelled))
    losses = loss.of(prediction, label)
    usable = ~np.isnan(losses)
    if not (usable & training).any() or not (usable & ~training).any():
        raise ProfileError(
            f"only {int(usable.sum())} rows have both {roles.label!r} and {roles.prediction!r} in a form that can be "
            "compared; give more rows with labels"
        )
    bins = (
        LossBins.for_zero_one_loss()
        if roles.task == "classification"
        else LossBins.from_losses(losses[usable & training])
    )
    by_score = None
    levels: tuple[float, ...] = ()
    if roles.score is not None and score_bins is not None:
        by_score = LossByScore(roles.score, score_bins, _borders(roles, losses[usable & training]))
        levels = _levels(by_score.borders, losses[usable])
    transform = LossTransform(loss, roles.prediction, roles.label, by_score)
    performance = PerformanceSpec(
        task=roles.task,
        label=roles.label,
        prediction=roles.prediction,
        score=None if by_score is None else roles.score,
        scale=loss.scale if isinstance(loss, AbsoluteLoss) else None,
        rows=int(usable.sum()),
        rows_at_once=None,
        levels=levels,
        calibration=None if by_score is None else _calibration(roles, whole, by_score.bins, loss, losses),
    )
    return FittedLoss(transform, bins, usable, performance)


def reject_reserved_names(names: list[str]) -> None:
    """Raise ProfileError if a column has the name of a feature that losses use."""
    taken = sorted({LOSS, BY_SCORE} & set(names))
    if taken:
        raise ProfileError(
            f"a column is called {shown(taken[0])}, a name that is reserved for the losses of labelled rows; rename it"
        )


def _loss(roles: LabelRoles, label: Column, prediction: Column) -> LossFunction:
    """Return the loss function, fitted on the labelled rows of the training split."""
    if roles.task == "classification":
        return ZeroOneLoss()
    if roles.task == "regression":
        return AbsoluteLoss(_scale(roles, label, prediction))
    scores, named = to_floats(prediction)[0], np.array(classes(label), dtype=object)
    found = usual_classes(named)
    if len(found) != 2:
        raise ProfileError(
            f"a ranking needs a label of two classes, but {roles.label!r} holds {shown(sorted(found))}; "
            "choose another task or another label"
        )
    finite = np.isfinite(scores)
    of = {name: scores[(named == name) & finite] for name in sorted(found)}
    if not all(map(len, of.values())):
        raise ProfileError(
            f"{roles.prediction!r} has no score for one of the two classes of {roles.label!r}; give more rows"
        )
    positive = next((name for name in of if name.lower() in YES), None) or max(of, key=lambda name: of[name].mean())
    negative = next(name for name in of if name != positive)
    return RankingLoss(positive, negative, score_quantiles(of[positive]), score_quantiles(of[negative]))


def _scale(roles: LabelRoles, label: Column, prediction: Column) -> float:
    """Return the absolute error that counts as a loss of 1: one in twenty errors exceeds it."""
    predicted, truth = to_floats(prediction)[0], to_floats(label)[0]
    with np.errstate(over="ignore", invalid="ignore"):
        errors = np.abs(predicted - truth)
    errors = errors[np.isfinite(errors)]
    if not len(errors):
        raise ProfileError(
            f"no row has numbers in both {roles.label!r} and {roles.prediction!r}; set another task or give more rows"
        )
    scale = float(np.quantile(errors, LARGEST)) or float(errors.max())
    return scale or float(np.std(truth[np.isfinite(truth)])) or 1.0


def _borders(roles: LabelRoles, losses: Floats) -> Floats:
    """Return ascending losses between the levels."""
    if roles.task == "classification":
        return np.array([0.5])
    borders = np.unique(np.quantile(losses, np.arange(1, LEVELS) / LEVELS))
    out: Floats = borders[borders > losses.min()]
    return out


def _levels(borders: Floats, losses: Floats) -> tuple[float, ...]:
    """Return the mean loss of each level, or its lower border if the reference has no row in it."""
    level = np.searchsorted(borders, losses, side="right")
    rows = np.bincount(level, minlength=len(borders) + 1)
    sums = np.bincount(level, weights=losses, minlength=len(borders) + 1)
    means = np.where(rows > 0, sums / np.maximum(rows, 1), np.concatenate([[0.0], borders]))
    return tuple(np.clip(means, 0.0, 1.0).tolist())


def _calibration(
    roles: LabelRoles, whole: Block, bins: NumericBins, loss: LossFunction, losses: Floats
) -> ScoreCalibration | None:
    """Return the event that the score comes closest to being the probability of; None if it is not a probability."""
    if roles.score is None or roles.task == "regression":
        return None
    column = whole.columns[roles.score]
    scores, usable = to_floats(column)[0], ~np.isnan(losses)
    usable &= np.isfinite(scores)
    if not usable.any() or scores[usable].min() < 0 or scores[usable].max() > 1:
        return None
    bin_ids, _ = bins.digitize(column.take(usable))
    named = np.array(classes(whole.columns[roles.label].take(usable)), dtype=object)
    outcomes: dict[str, Bools] = {}
    if isinstance(loss, RankingLoss):
        outcomes[f"the class {loss.positive}"] = named == loss.positive
    else:
        outcomes["the predicted class"] = losses[usable] == 0
        found = sorted(set(named.tolist()))
        outcomes |= {f"the class {name}": named == name for name in found if len(found) == 2}
    measured = [score_calibration(of, scores[usable], happened, bin_ids) for of, happened in outcomes.items()]
    return min(measured, key=lambda one: one.error)
