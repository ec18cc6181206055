"""Checks of the values in a JSON document: their type, range and size.

A check is a function of a value and its path. It returns the parsed value, or raises a ProfileError with the path, the
expected value and the value itself. `record` combines checks into the description of an object, from which parsing
follows: it calls a constructor with the checked values.

    document -> `record(Class, key=check, ...)` -> Class, or ProfileError

A check never converts a value unless its docstring says so, because the hash of a profile covers its values.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar, get_args

import numpy as np

from .batch import Array, Floats, Ints
from .errors import ProfileError, shown

T = TypeVar("T")
Check: TypeAlias = Callable[[Any, str], T]

LARGEST = sys.float_info.max
LARGEST_COUNT = 2**53 - 1  # float64 represents all integers up to it
LONGEST_NAME = 1000  # characters of a column or a category
LONGEST_DERIVED = LONGEST_NAME + 40  # of a feature: "residual:column", "column:punctuation"
LONGEST_TEXT = 1000  # characters of a reason or a warning
MOST_ITEMS = 20_000


def unfit(where: str, expected: str, value: object) -> ProfileError:
    """Return the error for a value that is not what a document may hold at a path."""
    return ProfileError(f"{where} must be {expected}, not {shown(value)}; build the profile again")


def anything(value: object, where: str) -> Any:  # noqa: ARG001  # a check has both arguments
    """Accept any value. The caller checks it once the values that it depends on are known."""
    return value


def flag(value: object, where: str) -> bool:
    """Accept true and false."""
    if value is True or value is False:
        return value
    raise unfit(where, "true or false", value)


def text(least: int = 0, most: int = LONGEST_TEXT) -> Check[str]:
    """Accept a text of some number of characters, without half a surrogate pair, which UTF-8 cannot encode."""

    def check(value: object, where: str) -> str:
        if type(value) is not str:
            raise unfit(where, "text", value)
        if not least <= len(value) <= most:
            raise unfit(where, f"a text of {least} to {most} characters", value)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise unfit(where, "text without half a surrogate pair", value) from error
        return value

    return check


def whole(least: int = 0, most: int = LARGEST_COUNT) -> Check[int]:
    """Accept an integer in a range."""

    def check(value: object, where: str) -> int:
        if type(value) is not int or not least <= value <= most:
            raise unfit(where, f"a whole number from {least} to {most}", value)
        return value

    return check


def number(least: float = -LARGEST, most: float = LARGEST) -> Check[float]:
    """Accept an integer or a float in a range."""

    def check(value: object, where: str) -> float:
        if (type(value) is not float and type(value) is not int) or not least <= value <= most:
            raise unfit(where, f"a number from {least:g} to {most:g}", value)
        return value

    return check


def real(least: float = -LARGEST, most: float = LARGEST) -> Check[float]:
    """Accept an integer or a float in a range; return a float."""
    accepted = number(least, most)
    return lambda value, where: float(accepted(value, where))


def one_of(literal: Any) -> Check[Any]:
    """Accept one of the texts of a Literal type."""
    names = get_args(literal)

    def check(value: object, where: str) -> Any:
        if type(value) is not str or value not in names:
            raise unfit(where, f"one of {names}", value)
        return value

    return check


def optional(check: Check[T]) -> Check[T | None]:
    """Accept null, or what a check accepts."""
    return lambda value, where: None if value is None else check(value, where)


def listed(check: Check[T], least: int = 0, most: int = MOST_ITEMS) -> Check[tuple[T, ...]]:
    """Accept a list of some number of entries; return a tuple."""

    def check_all(value: object, where: str) -> tuple[T, ...]:
        if type(value) is not list:
            raise unfit(where, "a list", value)
        if not least <= len(value) <= most:
            raise ProfileError(
                f"{where} must have {least} to {most} entries, not {len(value)}: {shown(value)}; "
                "build the profile again"
            )
        try:
            return tuple([check(item, where) for item in value])
        except ProfileError:  # only now, because a path for each of a million counts takes a second
            return tuple(check(item, f"{where}[{position}]") for position, item in enumerate(value))

    return check_all


def names(least: int = 0, most: int = MOST_ITEMS, longest: int = LONGEST_NAME) -> Check[tuple[str, ...]]:
    """Accept a list of distinct names; return a tuple."""
    all_names = listed(text(0, longest), least, most)

    def check(value: object, where: str) -> tuple[str, ...]:
        found = all_names(value, where)
        if len(set(found)) != len(found):
            twice = next(name for name, times in Counter(found).items() if times > 1)
            raise unfit(where, "distinct names", [twice, twice])
        return found

    return check


def reals(
    least: float = -LARGEST, most: float = LARGEST, *, fewest: int = 0, longest: int = MOST_ITEMS
) -> Check[Floats]:
    """Accept a list of numbers in a range; return float64 [entries]."""
    accepted = listed(real(least, most), fewest, longest)
    return lambda value, where: np.array(accepted(value, where), dtype=np.float64)


def ascending(values: Array, where: str, *, strictly: bool = True) -> Array:
    """Return the values [n] if they ascend.

    Raises:
        ProfileError: they do not.
    """
    steps = np.diff(values)
    wrong = np.flatnonzero(steps <= 0 if strictly else steps < 0)
    if len(wrong):
        pair = values[wrong[0] : wrong[0] + 2].tolist()
        raise unfit(f"{where}[{wrong[0] + 1}]", "in ascending order", pair)
    return values


def counts(size: int, most: int = LARGEST_COUNT) -> Check[Ints]:
    """Accept a list of `size` whole numbers from 0 with a sum of at most `most`; return int64 [size]."""
    accepted = listed(whole(0, most), 0, size)

    def check(value: object, where: str) -> Ints:
        if type(value) is not list or len(value) != size:
            raise unfit(where, f"{size} counts", value)
        found = accepted(value, where)
        if sum(found) > most:
            raise ProfileError(f"{where} must have a sum of at most {most}, not {sum(found)}; build the profile again")
        return np.array(found, dtype=np.int64)

    return check


def stacked(rows: tuple[Ints, ...]) -> Ints:
    """Return rows of counts as one array [rows, size]."""
    return np.array(rows, dtype=np.int64)


def sized(values: Array, size: int, where: str) -> Array:
    """Return the values if there are `size` of them.

    Raises:
        ProfileError: there are more or fewer.
    """
    if len(values) != size:
        raise ProfileError(f"{where} has {len(values)} entries, not {size}; build the profile again")
    return values


def fields(**checks: Check[Any]) -> Check[dict[str, Any]]:
    """Accept an object with exactly the given keys; return the checked values by key."""
    return record(dict[str, Any], **checks)


def record(make: Callable[..., T], /, **checks: Check[Any]) -> Check[T]:
    """Accept an object with exactly the given keys; return what `make` returns for the checked values."""

    def check(value: object, where: str) -> T:
        if not isinstance(value, Mapping):
            raise unfit(where, "an object", value)
        if value.keys() != checks.keys():
            missing = sorted(checks.keys() - value.keys())
            unknown = sorted(value.keys() - checks.keys())
            problem = f"lacks the keys {shown(missing)}" if missing else f"has unknown keys: {shown(unknown)}"
            raise ProfileError(f"{where} {problem}; build the profile with this version of pilotfish")
        return make(**{key: accepts(value[key], f"{where}.{key}") for key, accepts in checks.items()})

    return check
