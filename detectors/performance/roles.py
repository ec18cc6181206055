"""Which column is the truth, which is compared with it, and by which loss: as a person says, else as the data look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..batch import Column, Side, missing_mask
from ..binning.numeric import to_floats
from ..errors import ProfileError, shown
from ..losses.functions import classes
from ..losses.task import Task

MOST_CLASSES = 50  # of whole numbers that may be names of classes
SAMPLED_ROWS = 5000  # labelled rows that are enough to tell


@dataclass(frozen=True)
class LabelOptions:
    """What a person said of the labels; None is inferred."""

    task: Task | None = None
    score: str | None = None


@dataclass(frozen=True)
class LabelRoles:
    """As in `Performance`."""

    task: Task
    label: str
    prediction: str
    score: str | None


def infer_roles(
    wanted: LabelOptions, columns: Mapping[str, Column], sides: Mapping[str, Side], types: Mapping[str, str]
) -> LabelRoles | None:
    """The roles of a reference's columns; None where there is no label, or nothing to compare it with.

    Args:
        wanted: what a person said.
        columns: [rows] each.
        sides: of all that are no inputs; the order of predictions counts.
        types: of watched columns and labels.

    Raises:
        ProfileError: several labels, no labelled row, or columns that do not fit the task.
    """
    labels = [name for name, side in sides.items() if side == "label"]
    predictions = [name for name, side in sides.items() if side == "prediction"]
    if len(labels) > 1:
        raise ProfileError(f"{shown(labels)} are all labels; keep the one that tells the truth, and exclude the others")
    if wanted.score is not None and wanted.score not in predictions:
        raise ProfileError(f"the score {wanted.score!r} is no prediction; predictions are {shown(predictions)}")
    if not labels or not predictions:
        if wanted.task is not None:
            missing = "label" if not labels else "prediction"
            raise ProfileError(f"the task {wanted.task} needs a label and a prediction; say which is the {missing}")
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
    """A few labelled rows."""

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
            raise ProfileError(f"the label {label!r} is missing in every row; give rows whose label is known")
        rows = rows[:: max(1, len(rows) // SAMPLED_ROWS)]
        known = frozenset(name for name in classes(columns[label].take(rows)) if name is not None)
        return cls(label, types.get(label, ""), known, {name: columns[name].take(rows) for name in names}, types)

    def task(self) -> Task:
        """The task that label and predictions look like."""
        named = self.label_type not in {"numeric", "integer"}
        if (named or len(self.known) <= MOST_CLASSES) and self._same_classes(list(self.predictions)):
            return "classification"
        if len(self.known) == 2 and self._numeric(list(self.predictions)):
            return "ranking"
        if not named and self._numeric(list(self.predictions)):
            return "regression"
        raise ProfileError(
            f"the label {self.label!r} holds {shown(sorted(self.known))}, of which the predictions "
            f"{shown(list(self.predictions))} say nothing; name the prediction that says the same, or the task"
        )

    def class_prediction(self, score: str | None) -> str:
        """The first prediction that is no score and says classes as the label does."""
        others = [name for name in self.predictions if name != score]
        found = self._same_classes(others)
        if not found:
            raise ProfileError(
                f"no prediction besides the score says classes as the label {self.label!r} does "
                f"({shown(sorted(self.known))}); predictions are {shown(list(self.predictions))}. Give one, "
                "or say that the task is ranking"
            )
        return found[0]

    def probability(self, prediction: str) -> str | None:
        """The first other prediction that looks like one."""
        for name in self._numeric([name for name in self.predictions if name != prediction]):
            values = to_floats(self.predictions[name])[0]
            if np.nanmin(values, initial=0.0) >= 0 and np.nanmax(values, initial=0.0) <= 1:
                return name
        return None

    def number(self, among: Sequence[str] | None = None) -> str:
        """The first numeric prediction."""
        names = list(self.predictions) if among is None else list(among)
        found = self._numeric(names)
        if not found:
            raise ProfileError(f"none of the predictions {shown(names)} is a number to compare {self.label!r} with")
        return found[0]

    def _numeric(self, names: list[str]) -> list[str]:
        return [name for name in names if self.types.get(name) in {"numeric", "integer"}]

    def _same_classes(self, names: list[str]) -> list[str]:
        """Those of which most values are classes of the label."""
        return [name for name in names if self._share_known(self.predictions[name]) > 0.5]

    def _share_known(self, column: Column) -> float:
        said = [name for name in classes(column) if name is not None]
        return sum(name in self.known for name in said) / len(said) if said else 0.0
