"""The loss transform: the losses of labelled rows, and their counts by score.

`performance.fit` creates it. It reads rows of the side "label", which hold predictions and labels together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from .. import schema
from ..batch import Column, Family, Floats, Side
from ..binning.losses import integer_bins
from ..binning.numeric import NumericBins
from ..losses.functions import LossFunction, loss_from
from ..losses.task import BY_SCORE, LOSS, Task
from .base import Block

MOST_LEVELS = 16  # `performance.fit` makes 6 at most


@dataclass(frozen=True)
class LossByScore:
    """The number of a labelled row, by score bin and loss level: `bin * levels + level`.

    Attributes:
        score: the score column.
        bins: the bins of its feature.
        borders: ascending losses between the levels.
    """

    score: str
    bins: NumericBins
    borders: Floats

    @property
    def levels(self) -> int:
        """Number of loss levels."""
        return len(self.borders) + 1

    @property
    def counted(self) -> NumericBins:
        """The bins of the counts: one for each number."""
        return integer_bins(self.bins.size * self.levels)

    def of(self, score: Column, losses: Floats) -> Floats:
        """Return the numbers [rows], NaN where there is no loss."""
        bin_ids, _ = self.bins.digitize(score)
        numbers = bin_ids * self.levels + np.searchsorted(self.borders, losses, side="right")
        return np.where(np.isnan(losses), np.nan, numbers)


@dataclass(frozen=True)
class LossTransform:
    """The losses of rows whose label has arrived.

    Example:
        >>> from pilotfish.detectors.batch import as_column
        >>> from pilotfish.detectors.losses.functions import ZeroOneLoss
        >>> from pilotfish.detectors.transforms.base import Block
        >>> from pilotfish.detectors.transforms.loss import LossTransform
        >>> transform = LossTransform(ZeroOneLoss(), prediction="predicted", label="truth", by_score=None)
        >>> rows = Block({"predicted": as_column(["yes", "no"]), "truth": as_column(["yes", "yes"])}, 2)
        >>> transform.apply(rows)["loss"].values.tolist()
        [0.0, 1.0]
    """

    kind: ClassVar[str] = "loss"
    side: ClassVar[Side] = "label"
    family: ClassVar[Family] = "performance"
    share: ClassVar[float] = 1.0
    loss: LossFunction
    prediction: str
    label: str
    by_score: LossByScore | None

    @property
    def inputs(self) -> tuple[str, ...]:
        score = () if self.by_score is None else (self.by_score.score,)
        return tuple(dict.fromkeys((self.prediction, self.label, *score)))

    @property
    def outputs(self) -> tuple[str, ...]:
        return (LOSS,) if self.by_score is None else (LOSS, BY_SCORE)

    def apply(self, block: Block) -> Mapping[str, Column]:
        losses = self.loss.of(block.columns[self.prediction], block.columns[self.label])
        made = {LOSS: Column(losses)}
        if self.by_score is not None:
            made[BY_SCORE] = Column(self.by_score.of(block.columns[self.by_score.score], losses))
        return made

    def document(self) -> dict[str, Any]:
        by = self.by_score
        return {
            "by_score": None
            if by is None
            else {"bins": by.bins.document(), "borders": by.borders.tolist(), "score": by.score},
            "label": self.label,
            "loss": self.loss.document(),
            "prediction": self.prediction,
            "task": self.loss.task,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any], where: str) -> Self:
        known = _DOCUMENT(document, where)
        loss = loss_from(known["task"], known["loss"], f"{where}.loss")
        return cls(loss, known["prediction"], known["label"], known["by_score"])


def _by_score(document: Mapping[str, Any], where: str) -> LossByScore:
    made = schema.record(
        LossByScore,
        bins=NumericBins.from_document,
        borders=schema.reals(0, 1, longest=MOST_LEVELS - 1),
        score=schema.text(0, schema.LONGEST_NAME),
    )(document, where)
    schema.ascending(made.borders, f"{where}.borders")
    return made


_DOCUMENT = schema.fields(
    by_score=schema.optional(_by_score),
    label=schema.text(0, schema.LONGEST_NAME),
    loss=schema.anything,
    prediction=schema.text(0, schema.LONGEST_NAME),
    task=schema.one_of(Task),
)
