"""Blocks of the Report about traffic: exchanges, rows, ticks, checkpoints, data quality, unprofiled columns."""

from __future__ import annotations

import msgspec


class ExchangeCount(msgspec.Struct, frozen=True):
    """The number of exchanges with one outcome and reason; `fate` is the JSON key of the outcome."""

    fate: str
    reason: str
    exchanges: int


class RowCount(msgspec.Struct, frozen=True):
    """The number of decoded rows of one model and side since the counters began."""

    model: str
    side: str
    rows: int


class TickStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The position of the tick clock; rows may still be added to the ticks in `open`.

    `rows_per_tick` is set where a tick is a number of consecutive rows instead of a period of time.
    """

    tick_seconds: float
    open: tuple[int, ...] = ()
    last_closed: int | None = None
    closed_total: int = 0
    late_rows: int = 0
    rows_per_tick: float | None = None


class QualityFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A data-quality problem of the recent rows. It raises no alarm; `kind` is one of `detectors.quality`.

    `detail` says what the other fields cannot hold, and is empty for most kinds.
    """

    kind: str
    side: str
    column: str
    renamed_to: str
    since_tick: int
    rows: int
    share: float
    detail: str = ""


class CheckpointStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The last checkpoint; `error` is empty if it succeeded."""

    at: float | None = None
    failures_total: int = 0
    error: str = ""


class UnprofiledColumn(msgspec.Struct, frozen=True):
    """A column without a profile: the number of values, and how many of them were missing."""

    name: str
    side: str
    values: int
    missing: int
