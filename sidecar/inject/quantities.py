"""Quantities of Kubernetes, exactly: "250m", "1.5", "2Gi", "1e3"."""

from __future__ import annotations

import re
from fractions import Fraction

_FORM = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]{1,2})|([EPTGMK]i|[EPTGMkmun]))?")
_FACTORS = {
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", 1)},
}


def quantity(value: object) -> Fraction | None:
    """Return the number behind a quantity, or None if it is missing or invalid."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    found = _FORM.fullmatch(str(value).strip())
    if found is None:
        return None
    factor = Fraction(10) ** int(found[2]) if found[2] else _FACTORS.get(found[3] or "", Fraction(1))
    return Fraction(found[1] if found[1][-1:] != "." else found[1] + "0") * factor


def format_quantity(number: Fraction) -> str:
    """Return a quantity that `quantity` reads as `number`, rounded up to thousandths."""
    if number.denominator > 1:
        return f"{-(-number * 1000 // 1)}m"
    for unit in ("Gi", "Mi", "Ki"):
        if number and number % _FACTORS[unit] == 0:
            return f"{number / _FACTORS[unit]}{unit}"
    return str(number)
