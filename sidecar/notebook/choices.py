"""Checks the arguments of the Python API, and turns them into the roles and settings of the commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, cast, get_args

from ...detectors.batch import ColumnType
from ...detectors.losses.task import Task
from ..errors import UsageError, quote_value
from ..profiles.app import KINDS
from ..profiles.arguments import PARAMETERS
from ..profiles.build import ColumnRoles
from ..settings.units import UNITS, read_duration


def column_roles(
    *,
    time: str | None,
    predictions: Iterable[str] | str = (),
    labels: Iterable[str] | str = (),
    score: str | None = None,
    task: str | None = None,
    exclude: Iterable[str] | str = (),
    keep: Iterable[str] | str = (),
    types: Mapping[str, str] | None = None,
) -> ColumnRoles:
    """Return the roles of columns; raise UsageError for a value that is no name, type or task."""
    for argument, value in (("time", time), ("score", score)):
        if value is not None and not isinstance(value, str):
            raise UsageError(f"{argument}={quote_value(value)}: give the name of one column")
    if task is not None and task not in get_args(Task):
        raise UsageError(f"task={quote_value(task)}: give one of {', '.join(sorted(get_args(Task)))}")
    for name, kind in _mapping(types).items():
        if kind not in KINDS:
            raise UsageError(f"{PARAMETERS.typed(name, str(kind))}: give one of {', '.join(KINDS)}")
    return ColumnRoles(
        time,
        names("predictions", predictions),
        names("labels", labels),
        names("exclude", exclude),
        cast("Mapping[str, ColumnType]", _mapping(types)),
        names("keep", keep),
        score,
        cast("Task | None", task),
        PARAMETERS,
    )


def seconds(argument: str, value: object) -> float:
    """Return the seconds of "60s", a number of seconds or a timedelta; raise UsageError."""
    if isinstance(value, timedelta):
        found: float | None = value.total_seconds()
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        found = float(value)
    else:
        in_pandas = isinstance(value, str) and value.endswith("min")  # pandas writes "5min"
        found = read_duration(str(value).removesuffix("in") if in_pandas else value)
    if found is None or not 0 < found < float("inf"):
        raise UsageError(
            f"{argument}={quote_value(value)}: give a number of seconds, a timedelta or {UNITS['duration'].wants}"
        )
    return found


def budget(value: object) -> str:
    """Return a budget of false alarms; raise UsageError for a value that is no text."""
    if not isinstance(value, str):
        raise UsageError(f"{PARAMETERS.given('false_alarms', value)}: give N/DURATION, such as 1/30d")
    return value


def names(argument: str, given: Any) -> tuple[str, ...]:
    """Return the texts of an argument that is one text or several; raise UsageError for any other value."""
    found = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    wrong = [name for name in found if not isinstance(name, str)]
    if wrong:
        raise UsageError(f"{argument}=[{quote_value(wrong[0])}]: give texts, such as {argument}=['a']")
    return found


def _mapping(types: Any) -> Mapping[str, str]:
    if types is not None and not isinstance(types, Mapping):
        raise UsageError(f"types={quote_value(types)}: give a type by column, such as types={{'code': 'categorical'}}")
    return types or {}
