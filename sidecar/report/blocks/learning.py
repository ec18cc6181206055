"""Blocks of the Report about profiles: in force and being built, the audit log, rows on disk, stream detectors."""

from __future__ import annotations

from typing import Literal

import msgspec


class ProfileInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The profile in force."""

    hash: str
    model: str
    version: str
    created: str
    rows: int
    features: int
    excluded: tuple[str, ...]
    warnings: tuple[str, ...]


class LearningStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A profile that is being built from live rows; `kind` is rebaseline if a person requested it.

    Attributes:
        state: gathering (`rows` of the `wanted` rows are stored), building (a child process builds the profile, and
            `progress` runs from 0 to 1) or gave_up (all `tries` failed).
        problem: why the last try failed.
        began: start of the first try, in epoch seconds.
        gathered: when the last wanted row was stored, in epoch seconds.
    """

    id: str
    kind: Literal["learn", "rebaseline"]
    state: Literal["building", "gathering", "gave_up"] = "gathering"
    rows: int = 0
    wanted: int
    tries: int = 1
    progress: float = 0.0
    problem: str = ""
    by: str = ""
    reason: str = ""
    began: float
    gathered: float | None = None


class StreamDetectorStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A detector of River on one number per tick. It has no budget and raises no alarm.

    `value` is the last number, `values` how many it has received, `changes` how many changes it has reported. `problem`
    is the reason why it receives no numbers.
    """

    type: str
    stream: str
    value: float | None
    values: int
    changes: int
    last_change_tick: int | None
    problem: str = ""
    budget: Literal["none"] = "none"


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the audit log: a decision about a profile or an episode. `old` and `new` are profile hashes."""

    time: float
    action: str
    outcome: str
    by: str = ""
    reason: str = ""
    old: str = ""
    new: str = ""
    rows: int = 0
    episode: str = ""


class StoredRows(msgspec.Struct, frozen=True, kw_only=True):
    """Live rows on disk in one `store`: `recent`, or rows to learn from.

    `not_kept` counts the rows that were not stored since the counters began.
    """

    store: str
    rows: int
    bytes: int
    not_kept: int
    torn_bytes: int = 0
