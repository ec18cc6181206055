"""Fits a recommended request between bounds on requests and limits. A limit keeps its ratio to the request.

A bound on the limit becomes one on the request, by the ratio. Where it decides, the limit is exactly the bound. So a
second fit, with the ratio that the first one left, finds the same amounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from .amounts import Kind, Side
from .notes import Note

UNITS: dict[Kind, Fraction] = {"cpu": Fraction(1, 1000), "memory": Fraction(1)}
STEPS: dict[Kind, Fraction] = {"cpu": Fraction(1, 1000), "memory": Fraction(2**20)}  # a recommendation is rounded up


@dataclass(frozen=True, slots=True)
class Bound:
    """The most (else the least) that a request or limit may be, and the note if it decides.

    `silent` bounds leave no note unless no amount satisfies all bounds: who recommends respects them already.
    """

    side: Side
    is_most: bool
    value: Fraction
    note: Note
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """The request and limit that fit, None where a bound contradicts another one, and the notes of bounds."""

    request: Fraction | None
    limit: Fraction | None
    notes: tuple[Note, ...] = ()


class _Point(NamedTuple):
    request: Fraction  # exact, so not always a whole number of units
    limit: Fraction | None
    bound: Bound


def fit(kind: Kind, target: Fraction, ratio: Fraction | None, bounds: Iterable[Bound]) -> Fit:
    """Return the request nearest to `target` within `bounds`, and the limit at `ratio` to it.

    Without `ratio`, the limit is not changed, and bounds on limits do not apply.
    """
    unit, step = UNITS[kind], STEPS[kind]
    points = [_point(bound, ratio, unit) for bound in bounds if bound.side == "requests" or ratio is not None]
    lower = max((point for point in points if not point.bound.is_most), key=lambda point: point.request)
    upper = min((point for point in points if point.bound.is_most), key=lambda point: point.request, default=None)
    if upper is not None and upper.request < lower.request:
        return Fit(None, None, (lower.bound.note, upper.bound.note))
    request = round_up(target, step)
    chosen = lower if request < lower.request else upper if upper and request > upper.request else None
    notes = () if chosen is None or chosen.bound.silent else (chosen.bound.note,)
    if chosen is not None:
        request = round_up(chosen.request, unit)
    limit = chosen.limit if chosen is not None else None
    if limit is None and ratio is not None:
        limit = request * ratio // unit * unit
    return Fit(request, limit, notes)


def _point(bound: Bound, ratio: Fraction | None, unit: Fraction) -> _Point:
    value = bound.value // unit * unit if bound.is_most else round_up(bound.value, unit)
    return _Point(value, None, bound) if bound.side == "requests" else _Point(value / (ratio or 1), value, bound)


def round_up(number: Fraction, unit: Fraction) -> Fraction:
    """Return the least multiple of `unit` that is at least `number`."""
    return -(-number // unit) * unit
