"""Quantities in objects that the API server sends, such as the usage "12345678n" of a container.

Documents of users have fewer forms (`settings/units.py`): no exponents, and no units below a thousandth.
"""

from __future__ import annotations

import re

LONGEST = 64  # characters
_FORM = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,3}))?")
_FACTORS = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    **{unit: 1000.0**power for power, unit in enumerate("kMGTPE", 1)},
    **{f"{unit}i": 1024.0**power for power, unit in enumerate("KMGTPE", 1)},
}


def parse_quantity(value: object) -> float | None:
    """Return the number behind a quantity such as 2, "250m", "64Mi" or "1e3"; None for anything else.

    The result is finite. Source: k8s.io/apimachinery/pkg/api/resource, whose decimals this function rounds to a float.
    """
    text = str(value) if type(value) in (int, float) else value
    if not isinstance(text, str) or len(text) > LONGEST or not (found := _FORM.fullmatch(text)):
        return None
    number = float(f"{found[1]}e{found[3] or 0}") * _FACTORS.get(found[2] or "", 1.0)
    return number if abs(number) < float("inf") else None
