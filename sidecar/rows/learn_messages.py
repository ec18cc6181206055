"""Messages between the analyzer and the learning process: one JSON object each.

Both processes run the same version, so these formats need no compatibility.
"""

from __future__ import annotations

import msgspec


class LearnJob(msgspec.Struct, frozen=True, kw_only=True):
    """One profile to learn.

    Attributes:
        model: name of the model.
        version: version of the model.
        rows: number of rows to use, from the first on.
        gathered: when the rows were collected, epoch seconds; the creation time of the profile.
        tick_seconds: length of a tick.
        tolerance: drift too small to matter, as a chi-square distance.
        timezone: IANA name of the zone of a daily cycle.
        false_alarm_ticks: ticks per allowed false alarm.
        missing_words: texts that mean missing.
        memory: limit in bytes; 0 for no limit.
        inputs, unsent: the input columns of the profile in force, in order; empty without one.
    """

    model: str
    version: str
    rows: int
    gathered: float
    tick_seconds: float
    tolerance: float
    timezone: str
    false_alarm_ticks: float
    missing_words: tuple[str, ...]
    memory: int = 0
    inputs: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()


class LearnProgress(msgspec.Struct, frozen=True, tag="progress"):
    """Progress, between 0 and 1."""

    share: float


class LearnResult(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """The result.

    Attributes:
        rows: number of rows that were read.
        problem: why there is no profile; empty if OUT contains a profile that passed its held-out trial.
        damage: the stored rows that could not be read, so that the profile is learned without them; empty if all could.
    """

    rows: int = 0
    problem: str = ""
    damage: str = ""
