"""Parses and formats durations, sizes and quantities: "60s", "1Mi", "250m".

All documents and command lines use these functions. A formatted value parses to the same number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

_DURATION = re.compile(r"(?:([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h|d|w))+")
_DURATION_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|ms|s|m|h|d|w)")
_SECONDS = {
    "w": 604800.0,
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([EPTGMK]i|[EPTGMk]|m)?")
_FACTORS = {
    "": 1.0,
    "m": 1e-3,
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}
LONGEST = 64


class Unit(NamedTuple):
    """One dimension: its parser (None for an invalid value), its formatter, its description and its JSON schema."""

    read: Callable[[object], float | int | None]
    show: Callable[[float], str]
    wants: str
    schema: Mapping[str, object]


def read_duration(value: object) -> float | None:
    """Return the seconds of "90s", "1h30m", "250ms" or "30d"; a bare number other than 0 is invalid."""
    if type(value) in (int, float) and value == 0:
        return 0.0
    if not isinstance(value, str) or len(value) > LONGEST or not _DURATION.fullmatch(value):
        return 0.0 if value == "0" else None
    return float(sum(float(number) * _SECONDS[unit] for number, unit in _DURATION_PART.findall(value)))


def show_duration(seconds: float) -> str:
    """Return `seconds` in the largest unit that divides them."""
    if not seconds:
        return "0s"
    for unit, least in (("d", 2), ("h", 1), ("m", 2)):
        if seconds % _SECONDS[unit] == 0 and seconds >= least * _SECONDS[unit]:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    unit = "s" if seconds >= 1 else "ms" if seconds >= 1e-3 else "us"
    return f"{seconds / _SECONDS[unit]:.12g}{unit}"


def read_size(value: object) -> int | None:
    """Return the bytes of 1048576, "1Mi", "512Ki" or "2M"; fractions of a byte are invalid."""
    quantity = read_quantity(value)
    return int(quantity) if quantity is not None and quantity == int(quantity) else None


def show_size(size: float) -> str:
    """Return `size` in the largest binary unit that divides it."""
    for unit in ("Gi", "Mi", "Ki"):
        if size and size % _FACTORS[unit] == 0:
            return f"{size / _FACTORS[unit]:.0f}{unit}"
    return f"{size:.0f}"


def read_quantity(value: object) -> float | None:
    """Return the number behind a Kubernetes quantity: 4, "4", "250m" (a quarter), "1.5", "2Gi"."""
    if type(value) is int or type(value) is float:
        value = repr(value)
    if not isinstance(value, str) or len(value) > LONGEST:
        return None
    found = _QUANTITY.fullmatch(value)
    return None if found is None else round(float(found[1]) * _FACTORS[found[2] or ""], 9)


def read_positive(value: object) -> float | None:
    """Return the number behind a Kubernetes quantity that is more than 0."""
    return read_quantity(value) or None


def show_quantity(value: float) -> str:
    """Return a quantity: "4", "250m"."""
    return f"{value:.12g}" if value == int(value) else f"{value * 1000:.12g}m"


_QUANTITY_PATTERN = r"^[0-9]+(\.[0-9]+)?([EPTGMK]i|[EPTGMk]|m)?$"
_POSITIVE_PATTERN = r"^(0*[1-9][0-9]*(\.[0-9]+)?|0+\.0*[1-9][0-9]*)([EPTGMK]i|[EPTGMk]|m)?$"
_DURATION_PATTERN = r"^(0|([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d|w))+)$"
UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        "cores": Unit(
            read_quantity,
            show_quantity,
            'a number of cores such as "250m" or 4',
            {"type": ["string", "number"], "pattern": _QUANTITY_PATTERN, "minimum": 0},
        ),
        "duration": Unit(
            read_duration,
            show_duration,
            'a duration with its unit, such as "250ms", "60s", "1h30m" or "30d"',
            {"type": ["string", "integer"], "pattern": _DURATION_PATTERN, "minimum": 0, "maximum": 0},
        ),
        "positive": Unit(
            read_positive,
            show_quantity,
            'a number of more than 0, such as 8, "0.5" or "500m"',
            {"type": ["string", "number"], "pattern": _POSITIVE_PATTERN, "exclusiveMinimum": 0},
        ),
        "ratio": Unit(
            read_quantity,
            show_quantity,
            'a number of at least 0, such as "0.1", "50m" or 0.1',
            {"type": ["string", "number"], "pattern": _QUANTITY_PATTERN, "minimum": 0},
        ),
        "size": Unit(
            read_size,
            show_size,
            'a size such as 65536, "512Ki" or "1Mi"',
            {"type": ["string", "integer"], "pattern": _QUANTITY_PATTERN, "minimum": 0},
        ),
    }
)
