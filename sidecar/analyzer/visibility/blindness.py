"""What a condition returns, and helpers for its text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ...errors import quote_value
from .readings import View

LISTED = 5  # names or reasons in one text


@dataclass(frozen=True)
class Blindness:
    """A blind spot without its reason and time: `total` if nothing of the traffic is measured."""

    text: str
    total: bool


Condition = Callable[[View], Blindness | None]


def quoted(names: Iterable[str]) -> str:
    """Return the first names in quotation marks, and how many more there are."""
    found = list(names)
    shown = ", ".join(map(quote_value, found[:LISTED]))
    return shown if len(found) <= LISTED else f"{shown} and {len(found) - LISTED} more"


def explained(amounts: Mapping[str, int], meanings: Mapping[str, str]) -> str:
    """Return the reasons by frequency: `18 content_type (the body is not JSON, ...), 2 ragged (...)`."""
    ordered = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
    parts = [
        f"{amount:,} {reason}" + (f" ({meanings[reason]})" if reason in meanings else "")
        for reason, amount in ordered[:LISTED]
    ]
    rest = sum(amount for _, amount in ordered[LISTED:])
    return ", ".join([*parts, f"{rest:,} for other reasons"] if rest else parts)


def reasons(found: Mapping[tuple[str, ...], int]) -> dict[str, int]:
    """Return amounts by the last word of their key."""
    return {key[-1]: amount for key, amount in found.items() if amount > 0}
