"""What a profile stores about labels: the task, the columns, and figures that counts cannot give.

`performance.fit` writes it; `performance.estimate` and the commands read it. The fields are keys of the profile's JSON
document.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, get_args

from ..errors import ProfileError, shown
from ..losses.task import Task
from .keys import field_names, require_keys


@dataclass(frozen=True)
class ScoreCalibration:
    """Whether scores are probabilities, measured on the labelled reference rows.

    Attributes:
        of: the event that the score would be the probability of: "the class NAME" or "the predicted class".
        error: expected calibration error: the mean distance, over rows, between the mean score of a bin and its
            frequency.
        calibrated: false if that distance is above .02 and beyond chance.
    """

    of: str
    error: float
    calibrated: bool


@dataclass(frozen=True)
class PerformanceSpec:
    """How the model's performance is measured.

    Attributes:
        task: selects the loss function.
        label: name of the label column.
        prediction: the prediction column that is compared with the label: a class, a value or a score.
        score: the score column for estimates without labels; None if there is none.
        scale: absolute error that counts as a loss of 1, for a regression; None for other tasks.
        rows: labelled reference rows that have a loss.
        rows_at_once: labels per live tick above which evidence is scaled down: the rows of the longest measured block.
            None if the reference has no order.
        levels: the loss of each level of "loss:by_score"; empty without a score.
        calibration: None if the score is not a probability.
    """

    task: Task
    label: str
    prediction: str
    score: str | None
    scale: float | None
    rows: int
    rows_at_once: float | None
    levels: tuple[float, ...]
    calibration: ScoreCalibration | None

    def document(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "levels": list(self.levels)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any] | None, where: str) -> PerformanceSpec | None:
        """Return the specification in a document, None for None.

        Raises:
            ProfileError: a value is wrong; the message names its path.
        """
        if document is None:
            return None
        known = require_keys(document, field_names(cls), where)
        if known["task"] not in get_args(Task):
            raise ProfileError(f"{where}.task must be one of {get_args(Task)}, not {shown(known['task'])}")
        known["calibration"] = _calibration(known["calibration"], f"{where}.calibration")
        known["levels"] = tuple(float(level) for level in known["levels"])
        texts = [known["label"], known["prediction"], known["score"] or ""]
        numbers = [known["rows"], known["scale"] or 0.0, known["rows_at_once"] or 0.0, *known["levels"]]
        if not all(type(text) is str for text in texts) or not all(map(_is_number, numbers)):
            raise ProfileError(f"{where} holds a value of the wrong type in {shown(known)}; build it again")
        return cls(**known)


def _calibration(document: Mapping[str, Any] | None, where: str) -> ScoreCalibration | None:
    if document is None:
        return None
    known = require_keys(document, field_names(ScoreCalibration), where)
    if type(known["of"]) is not str or not _is_number(known["error"]) or type(known["calibrated"]) is not bool:
        raise ProfileError(f"{where} holds a value of the wrong type in {shown(known)}; build it again")
    return ScoreCalibration(**known)


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and isfinite(value)  # type: ignore[arg-type]  # it is one of the two
