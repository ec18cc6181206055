"""Quantities of the Kubernetes API, exactly: "250m", "1.5", "2Gi", "1e3", "12345678n".

Documents of users have fewer forms (`settings/units.py`): no sign, no exponents, and no units below a thousandth.
Source: k8s.io/apimachinery/pkg/api/resource.
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

LONGEST = 64  # characters
MOST = Fraction(2**63 - 1)  # the cap of the API server for quantities with a binary unit
_SMALLEST = Fraction(1, 10**9)
_FORM = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?", re.ASCII)
_FACTORS = {
    "n": _SMALLEST,
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{unit: Fraction(1000**power) for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": Fraction(1024**power) for power, unit in enumerate("KMGTPE", 1)},
}


def quantity(value: object) -> Fraction | None:
    """Return the number behind a quantity such as 2, "250m", "64Mi" or "-1e3"; None if it is missing or invalid.

    As in the API server, digits below 1n round away from zero, and a binary unit caps the number at 2**63 - 1.
    """
    text = str(value) if type(value) in (int, float) else value
    return _parse(text) if isinstance(text, str) and len(text) <= LONGEST else None


@lru_cache(maxsize=4096)  # the pods of a workload have the same few quantities
def _parse(text: str) -> Fraction | None:
    if (found := _FORM.fullmatch(text)) is None:
        return None
    sign, digits, unit, exponent = found.groups()
    factor = Fraction(10) ** int(exponent) if exponent else _FACTORS.get(unit or "", Fraction(1))
    number = -(-Fraction(digits.rstrip(".")) * factor // _SMALLEST) * _SMALLEST
    if unit and unit.endswith("i"):
        number = min(number, MOST)
    return -number if sign == "-" else number


@lru_cache(maxsize=4096)
def format_quantity(number: Fraction) -> str:
    """Return a quantity that `quantity` reads as `number`, rounded up to thousandths."""
    if number.denominator > 1:
        thousandths = -(-number * 1000 // 1)
        return f"{thousandths}m" if thousandths % 1000 else f"{thousandths // 1000}"
    for unit in ("Gi", "Mi", "Ki"):
        if number and number % _FACTORS[unit] == 0:
            return f"{number / _FACTORS[unit]}{unit}"
    return str(number)
