"""Amounts as text: three digits for people, exact quantities for documents. Pure."""

from __future__ import annotations

from fractions import Fraction

from ..podspec.amounts import Kind

NONE = "-"
_UNITS = (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def amount(kind: Kind, value: Fraction | None) -> str:
    """Return cores as `250m` or `1.5`, bytes as `1.23Gi`, each with at most three digits; `-` for an unknown value."""
    if value is None:
        return NONE
    return cores(value) if kind == "cpu" else size(value)


def cores(value: Fraction) -> str:
    """Return a number of cores: `25m`, `1.25`, `12.5`."""
    number = float(value)
    return f"{_digits(number * 1000)}m" if 0 < number < 1 else _digits(number)


def size(value: Fraction) -> str:
    """Return a number of bytes in a binary unit: `250Mi`, `1.2Gi`."""
    for unit, factor in _UNITS:
        if value >= factor:
            return f"{_digits(float(value / factor))}{unit}"
    return _digits(float(value))


def _digits(number: float) -> str:
    """Return three digits, or all those before the point."""
    return f"{number:.3g}" if number < 100 else f"{number:.0f}"


def change(before: Fraction | None, after: Fraction | None) -> str:
    """Return a relative change: `+12%`, `-80%`, `x3.5` for more than double; `new` if there was nothing before."""
    if after is None or before == after:
        return "" if after is None else "="
    if not before:
        return "new"
    ratio = float(after / before)
    return f"x{_digits(ratio)}" if ratio > 2 else f"{ratio - 1:+.0%}"
