"""The task of a model, which selects its loss function, and the names of the features made of losses."""

from __future__ import annotations

from typing import Literal, TypeAlias

Task: TypeAlias = Literal["classification", "regression", "ranking"]
LOSS = "loss"  # the monitored feature
BY_SCORE = "loss:by_score"  # counts by score bin and loss level; it raises no alarm
