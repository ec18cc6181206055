"""Evaluate a JSONPath on a parsed body, for `own_json.py`.

Clients choose the body, so the number of selected values is bounded. Each step selects disjoint values, and a path has
a bounded number of steps: the cost is proportional to the size of the body.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

from ...settings.jsonpath import JsonPath
from .arrays import MAX_VALUES
from .types import SkipExchangeError

ABSENT: Any = object()


def select(path: JsonPath, tree: Any, most: int = MAX_VALUES) -> list[Any]:
    """Return the values that `path` selects in `tree`: one value without a wildcard, else one per element.

    A value that an element lacks is None, so that values and elements stay aligned.

    Raises:
        SkipExchangeError: the path selects nothing, or more than `most` values, or a wildcard stands for something
            other than a list.
    """
    if not path.many:
        value = select_one(path, tree)
        if value is ABSENT:
            raise SkipExchangeError("no_match")
        return [value]
    values = [tree]
    for step in path.steps:
        if step is not None:
            values = [_child(value, step) for value in values]
        elif all(type(value) is list for value in values):
            values = list(chain.from_iterable(values))
            if len(values) > most:
                raise SkipExchangeError("too_many_values")
        else:
            raise SkipExchangeError("no_match")
    absent = sum(value is ABSENT for value in values)
    if not absent:
        return values
    if absent == len(values):
        raise SkipExchangeError("no_match")
    return [None if value is ABSENT else value for value in values]


def select_one(path: JsonPath, tree: Any) -> Any:
    """Return the value that a path without a wildcard selects, or `ABSENT`."""
    for step in path.steps:
        tree = _child(tree, step)
    return tree


def _child(value: Any, step: str | int | None) -> Any:
    if type(value) is dict:
        return value.get(step, ABSENT)
    return value[step] if type(value) is list and type(step) is int and step < len(value) else ABSENT
