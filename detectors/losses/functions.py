"""Loss functions: the error of a labelled row, in [0, 1] for every task, NaN if the row has no loss.

A row has no loss if its prediction is missing or its label is unusable: missing, not a number, or neither of the two
classes of a ranking. Such a row is counted and changes no evidence. A class that the reference never had is a normal
value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from .. import schema
from ..batch import Column, Floats, is_missing, missing_mask
from ..binning.categories import category_text
from ..binning.numeric import to_floats
from .task import Task

TRUTHS = {"true": "1", "false": "0"}
LEAST_SCALE = 1e-300  # of an absolute error
WHOLE = re.compile(r"-?\d+\.0+")


class LossFunction(Protocol):
    """The loss of one task. `of` accepts any values, never raises, and changes none of its arguments."""

    task: ClassVar[Task]

    def of(self, prediction: Column, label: Column) -> Floats:
        """Return losses [rows] in [0, 1], NaN where there is none."""
        ...

    def document(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class ZeroOneLoss:
    """1 if the predicted class differs from the label's class, else 0.

    Classes are compared as text: 1, 1.0, "1", "1.0", true and "True" are equal, "01" differs.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.losses.functions import ZeroOneLoss
        >>> ZeroOneLoss().of(as_column(["yes", "no", None]), as_column(["yes", "yes", "no"])).tolist()
        [0.0, 1.0, nan]
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
    """The absolute error divided by `scale`, at most 1. An infinite prediction has the loss 1.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.losses.functions import AbsoluteLoss
        >>> AbsoluteLoss(scale=10.0).of(as_column([1.0, 5.0, 50.0]), as_column([1.0, 3.0, 0.0])).tolist()
        [0.0, 0.2, 1.0]
    """

    task: ClassVar[Task] = "regression"
    scale: float

    def of(self, prediction: Column, label: Column) -> Floats:
        predicted, truth = to_floats(prediction)[0], to_floats(label)[0]
        with np.errstate(over="ignore", invalid="ignore"):
            loss = np.abs(predicted - np.where(np.isfinite(truth), truth, np.nan)) / self.scale
        out: Floats = np.minimum(loss, 1.0)
        return out

    def document(self) -> dict[str, Any]:
        return {"scale": self.scale}


@dataclass(frozen=True)
class RankingLoss:
    """The share of reference rows of the other class that the row's score ranks wrongly.

    For a positive row: the share of the reference's negatives with a higher score. For a negative row: the share of its
    positives with a lower score. Ties count half. The mean over the rows of either class is 1 - AUC, so a change of the
    class shares alone changes nothing.

    Attributes:
        positive, negative: the labels, spelled as by `class_of`.
        positives, negatives: ascending scores [at most `MAX_SCORES`] of the reference rows of each class.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.losses.functions import RankingLoss
        >>> loss = RankingLoss("1", "0", positives=np.array([0.4, 0.9]), negatives=np.array([0.1, 0.6]))
        >>> loss.of(as_column([0.5, 0.5]), as_column([1, 0])).tolist()
        [0.5, 0.5]
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
    """Return at most `MAX_SCORES` ascending scores with the same distribution as the given ones [n]."""
    if len(scores) <= MAX_SCORES:
        return np.sort(scores)
    out: Floats = np.quantile(scores, (np.arange(MAX_SCORES) + 0.5) / MAX_SCORES, method="inverted_cdf")
    return out


def share_below(sorted_scores: Floats, scores: Floats) -> Floats:
    """Return the share [rows] of ascending scores below each score; ties count half."""
    left = np.searchsorted(sorted_scores, scores, side="left")
    right = np.searchsorted(sorted_scores, scores, side="right")
    share: Floats = (left + right) / (2 * len(sorted_scores))
    return share


def classes(column: Column) -> list[str | None]:
    """Return the class of each row as text, None where there is none."""
    missing = missing_mask(column)
    values = column.values.tolist()
    return [None if gone else class_of(value) for value, gone in zip(values, missing.tolist(), strict=True)]


def class_of(value: object) -> str | None:
    """Return a class as text: spelled as by `category_text`, but true is 1, false is 0, and the text 1.0 is 1."""
    text = None if is_missing(value) else category_text(value)
    if text is None:
        return None
    if WHOLE.fullmatch(text):
        return text.partition(".")[0]
    return TRUTHS.get(text.lower(), text) if len(text) <= len("false") else text


def loss_from(task: Task, document: Mapping[str, Any], where: str) -> LossFunction:
    """Return the loss function of a task from its document.

    Raises:
        ProfileError: a value is out of range; the message names its path.
    """
    made: LossFunction = _LOSSES[task](document, where)
    if isinstance(made, RankingLoss):
        schema.ascending(made.positives, f"{where}.positives", strictly=False)
        schema.ascending(made.negatives, f"{where}.negatives", strictly=False)
        if made.positive == made.negative:
            raise schema.unfit(f"{where}.negative", "another class than the positive one", made.negative)
    return made


_CLASS = schema.text(0, schema.LONGEST_NAME)
_SCORES = schema.reals(fewest=1, longest=MAX_SCORES)
_LOSSES: Mapping[Task, schema.Check[Any]] = {
    "classification": schema.record(ZeroOneLoss),
    "ranking": schema.record(RankingLoss, negative=_CLASS, negatives=_SCORES, positive=_CLASS, positives=_SCORES),
    "regression": schema.record(AbsoluteLoss, scale=schema.real(LEAST_SCALE)),
}
