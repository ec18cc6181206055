"""What the process that learns is told, and what it says: one JSON object each."""

from __future__ import annotations

import msgspec


class LearnJob(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be learnt: from the first `rows` rows; `gathered` (epoch s) dates it; `memory` bytes, 0 for any."""

    model: str
    version: str
    rows: int
    gathered: float
    tick_seconds: float
    tolerance: float
    false_alarm_ticks: float
    memory: int = 0


class LearnProgress(msgspec.Struct, frozen=True, tag="progress"):
    """How far the work is, of 1."""

    share: float


class LearnResult(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """What came of it: `problem` is empty when OUT holds a profile of `rows` rows that was quiet on itself."""

    rows: int = 0
    problem: str = ""
