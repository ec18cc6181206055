"""The loss of a labelled row, in [0, 1] for every task, NaN where it has none.

A row without a prediction, or whose label says nothing (missing, no number, none of the two classes of a ranking), has
no loss: it is counted as such and moves no evidence. A class that the reference never had is a value like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from ..batch import Column, Floats, is_missing, missing_mask
from ..binning.categories import category_text
from ..binning.numeric import to_floats
from ..errors import ProfileError, shown
from .task import Task

TRUTHS = {"true": "1", "false": "0"}
WHOLE = re.compile(r"-?\d+\.0+")


class LossFunction(Protocol):
    """One task's loss. `of` never raises, whatever the values, and changes none."""

    task: ClassVar[Task]

    def of(self, prediction: Column, label: Column) -> Floats:
        """[rows] in [0, 1], NaN where there is none."""
        ...

    def document(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ZeroOneLoss:
    """1 where the predicted class is another than the label's, else 0.

    Classes are compared as text: 1, 1.0, "1", "1.0", true and "True" are the same, "01" is another.
    """

    task: ClassVar[Task] = "classification"

    def of(self, prediction: Column, label: Column) -> Floats:
        if all(column.values.ndim == 1 and column.values.dtype.kind in "biuf" for column in (prediction, label)):
            wrong = prediction.values.astype(np.float64) != label.values.astype(np.float64)
            return np.where(missing_mask(prediction) | missing_mask(label), np.nan, wrong)
        pairs = zip(classes(prediction), classes(label), strict=True)
        return np.array([np.nan if one is None or other is None else one != other for one, other in pairs], np.float64)

    def document(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class AbsoluteLoss:
    """The absolute error over `scale`, at most 1; an infinite prediction is as wrong as can be."""

    task: ClassVar[Task] = "regression"
    scale: float

    def of(self, prediction: Column, label: Column) -> Floats:
        said, truth = to_floats(prediction)[0], to_floats(label)[0]
        with np.errstate(over="ignore", invalid="ignore"):
            loss = np.abs(said - np.where(np.isfinite(truth), truth, np.nan)) / self.scale
        out: Floats = np.minimum(loss, 1.0)
        return out

    def document(self) -> dict[str, Any]:
        return {"scale": self.scale}


@dataclass(frozen=True)
class RankingLoss:
    """How far a row's score is on the wrong side of the reference's rows of the other class.

    For a positive the share of the reference's negatives with a higher score, for a negative that of its positives with
    a lower one; ties count half. The mean over the rows of either class is 1 - AUC, so that a change of the classes'
    shares alone changes nothing.

    Attributes:
        positive, negative: the labels, as `class_of` writes them.
        positives, negatives: ascending scores [at most `MAX_SCORES`] of the reference's rows of either class.
    """

    task: ClassVar[Task] = "ranking"
    positive: str
    negative: str
    positives: Floats
    negatives: Floats

    def of(self, prediction: Column, label: Column) -> Floats:
        scores = to_floats(prediction)[0]
        named = classes(label)
        is_positive = np.array([name == self.positive for name in named], dtype=bool)
        is_negative = np.array([name == self.negative for name in named], dtype=bool)
        loss = np.where(is_positive, 1 - share_below(self.negatives, scores), share_below(self.positives, scores))
        return np.where((is_positive | is_negative) & ~np.isnan(scores), loss, np.nan)

    def document(self) -> dict[str, Any]:
        return {
            "negative": self.negative, "negatives": self.negatives.tolist(),
            "positive": self.positive, "positives": self.positives.tolist(),
        }  # fmt: skip


MAX_SCORES = 256


def score_quantiles(scores: Floats) -> Floats:
    """At most `MAX_SCORES` ascending scores that are distributed as the given ones [n]."""
    if len(scores) <= MAX_SCORES:
        return np.sort(scores)
    out: Floats = np.quantile(scores, (np.arange(MAX_SCORES) + 0.5) / MAX_SCORES, method="inverted_cdf")
    return out


def share_below(sorted_scores: Floats, scores: Floats) -> Floats:
    """[rows] share of ascending scores below each one, ties half."""
    left = np.searchsorted(sorted_scores, scores, side="left")
    right = np.searchsorted(sorted_scores, scores, side="right")
    share: Floats = (left + right) / (2 * len(sorted_scores))
    return share


def classes(column: Column) -> list[str | None]:
    """The class of each row as text, None where there is none."""
    missing = missing_mask(column)
    values = column.values.tolist()
    return [None if gone else class_of(value) for value, gone in zip(values, missing.tolist(), strict=True)]


def class_of(value: object) -> str | None:
    """A class as text: as categories are written, but true is 1, false 0, and 1.0 the text of 1."""
    text = None if is_missing(value) else category_text(value)
    if text is None:
        return None
    if WHOLE.fullmatch(text):
        return text.partition(".")[0]
    return TRUTHS.get(text.lower(), text) if len(text) <= len("false") else text


def loss_from(task: Task, document: Mapping[str, Any], where: str) -> LossFunction:
    """The loss of a task in a document; ProfileError naming what is wrong."""
    if task == "classification":
        return ZeroOneLoss()
    if task == "regression":
        scale = float(document["scale"])
        if not (np.isfinite(scale) and scale > 0):
            raise ProfileError(f"{where}.scale must be a positive number, not {shown(document['scale'])}")
        return AbsoluteLoss(scale)
    grids = [np.array([float(score) for score in document[key]]) for key in ("positives", "negatives")]
    if not all(len(one) and np.all(np.isfinite(one)) and np.all(np.diff(one) >= 0) for one in grids):
        raise ProfileError(f"{where}.positives and negatives must be ascending numbers; build the profile again")
    return RankingLoss(str(document["positive"]), str(document["negative"]), *grids)
