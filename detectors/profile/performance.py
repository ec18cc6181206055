"""What a profile stores about labels: the task, the columns, and figures that counts cannot give.

`performance.fit` writes it; `performance.estimate` and the commands read it. The fields are keys of the profile's JSON
document.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from .. import schema
from ..losses.functions import LEAST_SCALE
from ..losses.task import Task
from ..transforms.loss import MOST_LEVELS


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


_NAME = schema.text(0, schema.LONGEST_NAME)
CALIBRATION = schema.record(
    ScoreCalibration, calibrated=schema.flag, error=schema.number(0, 1), of=schema.text(0, schema.LONGEST_TEXT)
)
PERFORMANCE = schema.record(
    PerformanceSpec,
    calibration=schema.optional(CALIBRATION),
    label=_NAME,
    levels=schema.listed(schema.real(0, 1), 0, MOST_LEVELS),
    prediction=_NAME,
    rows=schema.whole(1),
    rows_at_once=schema.optional(schema.number(1, schema.LARGEST_COUNT)),
    scale=schema.optional(schema.number(LEAST_SCALE)),
    score=schema.optional(_NAME),
    task=schema.one_of(Task),
)
