"""The forecast: how much the load rises within one start-up time, if past periods repeat.

Method: seasonal differences. The expected rise is that of the mean of the past periods at the same phase, times the
present level. It is used only where it was right: over the last period, it must have avoided a part of the error of
"nothing changes" (the skill score of forecast verification), and recently it must not have been worse.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from math import floor, log2

from msgspec import structs

from .state import LoadHistory

BINS = 672  # of a period: 15 minutes of a week, about 2 of a day
MOST_PERIODS = 4
LEAST_SKILL = 0.3
RECENT = 48  # bins
MEASURED_EVERY = 8  # bins
LARGEST_LEVEL = 2.0  # the present load divided by that of past periods
_ABSENT = 65535
_SCALE = 1024.0  # steps of log2(1 + load): 0.07 %
_BLANK = struct.pack("<H", _ABSENT) * BINS


def observe(history: LoadHistory, period: float, load: float, horizon: float, now: float) -> LoadHistory:
    """Return the history with a load in replicas at the time `now`; an empty one without a `period` in seconds."""
    if not period:
        return LoadHistory()
    if history.period != period:
        history = LoadHistory(period=period)
    index = int(now / (period / BINS))
    if index == history.index:
        return structs.replace(history, total=history.total + load, count=history.count + 1)
    if index < history.index:
        return history  # the clock was set back
    opened = _closed(history, index)
    due = index // MEASURED_EVERY != history.index // MEASURED_EVERY
    skill = _skill(opened, horizon) if due else history.skill
    return LoadHistory(period, opened.periods, index, load, 1, skill)


def rise(history: LoadHistory, horizon: float, now: float) -> float | None:
    """Return by how many replicas the load rises within `horizon` seconds; None where past periods do not repeat."""
    if history.skill is None or history.skill < LEAST_SKILL:
        return None
    width = history.period / BINS
    recent = [history.index - back for back in range(1, RECENT + 1)]
    known = [
        (value, usual)
        for value, usual in ((_value(history, b), _season(history, b)) for b in recent)
        if value is not None and usual is not None
    ]
    usual = sum(usual for _, usual in known)
    if len(known) < RECENT // 2 or not usual:
        return None
    level = min(LARGEST_LEVEL, sum(value for value, _ in known) / usual)
    start = _between(history, now / width)
    ends = [_between(history, (now + horizon * part / 4) / width) for part in range(1, 5)]
    rises = [end - start for end in ends if end is not None and start is not None]
    return level * max(0.0, *rises) if rises else None


def wording(history: LoadHistory) -> str:
    """Return in words whether the forecast is used, and why not."""
    if history.skill is None:
        return "not used: fewer than two complete periods have been observed"
    if history.skill < LEAST_SKILL:
        return f"not used: past periods do not repeat (skill {history.skill:.2f}, at least {LEAST_SKILL} is needed)"
    return f"used: past periods repeat (skill {history.skill:.2f})"


def _closed(history: LoadHistory, index: int) -> LoadHistory:
    """Return the history with the open bin written, and the bin `index` open."""
    periods = list(history.periods)
    if history.count:
        code = min(_ABSENT - 1, round(_SCALE * log2(1.0 + max(0.0, history.total / history.count))))
        last = bytearray(periods[-1])
        struct.pack_into("<H", last, 2 * (history.index % BINS), code)
        periods[-1] = bytes(last)
    begun = index // BINS - history.index // BINS if periods else 1
    periods += [_BLANK] * min(begun, MOST_PERIODS)
    return LoadHistory(history.period, tuple(periods[-MOST_PERIODS:]), index)


def _skill(history: LoadHistory, horizon: float) -> float | None:
    """Return the share of the error of "nothing changes" that the forecast avoided over the last period.

    None before two periods are complete, or if a tenth of the last one is unknown. 0 at most, if the forecast was worse
    in the last RECENT bins.
    """
    if len(history.periods) < 3:  # two complete ones and the present one
        return None
    ahead = max(1, round(horizon / (history.period / BINS)))
    values = [value for period in history.periods for value in _decoded(period)]
    end = len(values) - BINS + history.index % BINS  # the open bin
    begin = max(0, end - BINS - ahead)
    usual = [_mean(values[index - BINS :: -BINS]) if index >= BINS else None for index in range(begin, end)]
    without, with_forecast = [], []
    for index in range(begin + ahead, end):
        now, then = values[index], values[index - ahead]
        season, season_then = usual[index - begin], usual[index - begin - ahead]
        if now is None or then is None or season is None or season_then is None:
            continue
        without.append(abs(now - then))
        with_forecast.append(abs((now - then) - (season - season_then)))
    if len(without) < 0.9 * BINS or not sum(without):
        return None
    skill = 1.0 - sum(with_forecast) / sum(without)
    worse = sum(with_forecast[-RECENT:]) > sum(without[-RECENT:])
    return min(skill, 0.0) if worse else skill


def _between(history: LoadHistory, position: float) -> float | None:
    """Return the mean of the past periods at a position in bins since the epoch, between the centres of two bins."""
    first = floor(position - 0.5)
    share = position - 0.5 - first
    one, other = _season(history, first), _season(history, first + 1)
    return None if one is None or other is None else one + share * (other - one)


def _season(history: LoadHistory, index: int) -> float | None:
    """Return the mean of the bins at the same phase in the periods before the bin `index`."""
    return _mean([_value(history, index - BINS * back) for back in range(1, MOST_PERIODS)])


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _value(history: LoadHistory, index: int) -> float | None:
    period = index // BINS - history.index // BINS + len(history.periods) - 1
    if not 0 <= period < len(history.periods) or index >= history.index:
        return None
    return _decoded(history.periods[period])[index % BINS]


@lru_cache(maxsize=64)
def _decoded(period: bytes) -> tuple[float | None, ...]:
    codes = struct.unpack(f"<{BINS}H", period)
    return tuple(None if code == _ABSENT else 2.0 ** (code / _SCALE) - 1.0 for code in codes)
