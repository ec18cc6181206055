"""The task of a model, which decides how its losses are computed, and the names of the features made of them."""

from __future__ import annotations

from typing import Literal, TypeAlias

Task: TypeAlias = Literal["classification", "regression", "ranking"]
LOSS = "loss"  # the feature that is watched
BY_SCORE = "loss:by_score"  # the counts of score cells and levels, of which no alarm comes
