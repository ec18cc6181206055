"""Infer which column is the label, which prediction is compared with it, and by which task.

Explicit options override what the data suggest. `fit` takes the result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..batch import Column, Side, missing_mask
from ..binning.numeric import to_floats
from ..cells import number_of
from ..errors import ProfileError, shown
from ..losses.functions import classes
from ..losses.task import Task

MOST_CLASSES = 50  # up to this number of distinct integers may be class names
MAX_ODD_WORDS = 0.05  # share of labels that are texts among numbers, and no classes of their own
MAX_ODD_CLASSES = 0.005  # share of labels beside two classes of texts
SAMPLED_ROWS = 5000  # labelled rows that suffice to infer roles


@dataclass(frozen=True)
class LabelOptions:
    """Options about labels; None means: infer it."""

    task: Task | None = None
    score: str | None = None


@dataclass(frozen=True)
class LabelRoles:
    """The columns that are compared, and the task. The fields mean the same as in `PerformanceSpec`."""

    task: Task
    label: str
    prediction: str
    score: str | None


def infer_roles(
    wanted: LabelOptions, columns: Mapping[str, Column], sides: Mapping[str, Side], types: Mapping[str, str]
) -> LabelRoles | None:
    """Return the roles of a reference's columns; None if there is no label, or nothing to compare it with.

    Args:
        wanted: explicit options.
        columns: [rows] each.
        sides: of all columns that are not inputs; the order of predictions matters.
        types: of monitored columns and labels.

    Raises:
        ProfileError: several labels, no labelled row, or columns that do not fit the task.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.performance.roles import LabelOptions, infer_roles
        >>> rows = {"predicted": ["yes", "no"], "sure": [0.9, 0.6], "truth": ["no", "yes"]}
        >>> columns = {name: as_column(values) for name, values in rows.items()}
        >>> sides = {"predicted": "prediction", "sure": "prediction", "truth": "label"}
        >>> types = {"predicted": "categorical", "sure": "numeric", "truth": "categorical"}
        >>> infer_roles(LabelOptions(), columns, sides, types)
        LabelRoles(task='classification', label='truth', prediction='predicted', score='sure')
    """
    labels = [name for name, side in sides.items() if side == "label"]
    predictions = [name for name, side in sides.items() if side == "prediction"]
    if len(labels) > 1:
        raise ProfileError(f"{shown(labels)} are all labels; keep the true one, and exclude the others")
    if wanted.score is not None and wanted.score not in predictions:
        raise ProfileError(f"the score {wanted.score!r} is not a prediction; the predictions are {shown(predictions)}")
    if not labels or not predictions:
        if wanted.task is not None:
            missing = "label" if not labels else "prediction"
            raise ProfileError(
                f"the task {wanted.task} needs a label and a prediction; name the column that is the {missing}"
            )
        return None
    looks = _LabelSample.at(labels[0], predictions, columns, types)
    task = wanted.task or looks.task()
    if task == "classification":
        prediction = looks.class_prediction(wanted.score)
        return LabelRoles(task, labels[0], prediction, wanted.score or looks.probability(prediction))
    if task == "ranking":
        score = wanted.score or looks.number()
        return LabelRoles(task, labels[0], score, score)
    others = [name for name in predictions if name != wanted.score] or predictions
    return LabelRoles(task, labels[0], looks.number(others), wanted.score)


@dataclass(frozen=True)
class _LabelSample:
    """Some labelled rows, from which the task is inferred."""

    label: str
    label_type: str
    known: frozenset[str]
    predictions: Mapping[str, Column]
    types: Mapping[str, str]

    @classmethod
    def at(
        cls, label: str, names: Sequence[str], columns: Mapping[str, Column], types: Mapping[str, str]
    ) -> _LabelSample:
        rows = np.flatnonzero(~missing_mask(columns[label]))
        if not len(rows):
            raise ProfileError(f"the label {label!r} is missing in every row; give rows with labels")
        rows = rows[:: max(1, len(rows) // SAMPLED_ROWS)]
        known = frozenset(usual_classes(classes(columns[label].take(rows))))
        return cls(label, types.get(label, ""), known, {name: columns[name].take(rows) for name in names}, types)

    def task(self) -> Task:
        """Return the task that label and predictions suggest."""
        named = self.label_type not in {"numeric", "integer"}
        if (named or len(self.known) <= MOST_CLASSES) and self._same_classes(list(self.predictions)):
            return "classification"
        if len(self.known) == 2 and self._numeric(list(self.predictions)):
            return "ranking"
        if not named and self._numeric(list(self.predictions)):
            return "regression"
        raise ProfileError(
            f"cannot compare the label {self.label!r}, which holds {shown(sorted(self.known))}, with the predictions "
            f"{shown(list(self.predictions))}; name a prediction with the same values, or the task"
        )

    def class_prediction(self, score: str | None) -> str:
        """Return the first prediction, other than the score, that holds classes of the label."""
        others = [name for name in self.predictions if name != score]
        found = self._same_classes(others)
        if not found:
            raise ProfileError(
                f"no prediction except the score holds the classes of the label {self.label!r}, "
                f"{shown(sorted(self.known))}; the predictions are {shown(list(self.predictions))}; give one with "
                "these classes, or set the task to ranking"
            )
        return found[0]

    def probability(self, prediction: str) -> str | None:
        """Return the first other prediction that looks like a probability."""
        for name in self._numeric([name for name in self.predictions if name != prediction]):
            values = to_floats(self.predictions[name])[0]
            if np.nanmin(values, initial=0.0) >= 0 and np.nanmax(values, initial=0.0) <= 1:
                return name
        return None

    def number(self, among: Sequence[str] | None = None) -> str:
        """Return the first numeric prediction."""
        names = list(self.predictions) if among is None else list(among)
        found = self._numeric(names)
        if not found:
            raise ProfileError(
                f"none of the predictions {shown(names)} is a number to compare {self.label!r} with; set another task"
            )
        return found[0]

    def _numeric(self, names: list[str]) -> list[str]:
        return [name for name in names if self.types.get(name) in {"numeric", "integer"}]

    def _same_classes(self, names: list[str]) -> list[str]:
        """Return the predictions that mostly hold classes of the label."""
        return [name for name in names if self._share_known(self.predictions[name]) > 0.5]

    def _share_known(self, column: Column) -> float:
        present = [name for name in classes(column) if name is not None]
        return sum(name in self.known for name in present) / len(present) if present else 0.0


def usual_classes(names: Iterable[str | None]) -> Counter[str]:
    """Return the classes of labels with their rows, without odd ones, which have no loss.

    Odd are a few texts among numbers, and a few rows beside two classes that are texts.

    Example:
        >>> from pilotfish.detectors.performance.roles import usual_classes
        >>> sorted(usual_classes(["0", "1"] * 100 + ["unknown", None]))
        ['0', '1']
    """
    found = Counter(name for name in names if name is not None)
    total = found.total()
    numbers = Counter({name: rows for name, rows in found.items() if np.isfinite(number_of(name))})
    if numbers and numbers.total() >= (1 - MAX_ODD_WORDS) * total:
        return numbers
    usual = Counter(dict(found.most_common(2)))
    return usual if not numbers and usual.total() >= (1 - MAX_ODD_CLASSES) * total else found
