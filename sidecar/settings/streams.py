"""The supported detectors of River, their parameters, and the scalar streams that they can read.

This table does not import River, so that a document can be checked on a machine without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from ..errors import quote_value


@dataclass(frozen=True, slots=True)
class ParameterBounds:
    """The valid values of a parameter: a number of `type` from `low` to `high`, or one of `words`."""

    type: type[int | float | str]
    low: float = 0.0
    high: float = 1e9
    words: tuple[str, ...] = ()


_SHARE = ParameterBounds(float, 1e-12, 1)
DETECTORS: Mapping[str, Mapping[str, ParameterBounds]] = MappingProxyType(
    {
        "river.ADWIN": {
            "clock": ParameterBounds(int, 1, 10_000),
            "delta": _SHARE,
            "grace_period": ParameterBounds(int, 1, 100_000),
            "max_buckets": ParameterBounds(int, 2, 100),
            "min_window_length": ParameterBounds(int, 1, 10_000),
        },
        "river.KSWIN": {
            "alpha": _SHARE,
            "seed": ParameterBounds(int, 0, 2**32 - 1),
            "stat_size": ParameterBounds(int, 2, 1000),
            "window_size": ParameterBounds(int, 4, 2000),
        },
        "river.PageHinkley": {
            "alpha": _SHARE,
            "delta": ParameterBounds(float, 0),
            "min_instances": ParameterBounds(int, 1, 1_000_000),
            "mode": ParameterBounds(str, words=("up", "down", "both")),
            "threshold": ParameterBounds(float, 0),
        },
    }
)
FEATURE_MEASURES = (
    "chi_square",
    "jensen_shannon_distance",
    "ks",
    "missing_ratio",
    "out_of_range_ratio",
    "psi",
    "unseen_ratio",
    "wasserstein",
)
LOSSES = ("estimated", "realized")


@dataclass(frozen=True, slots=True)
class Stream:
    """One number per closed tick: a measure of a feature, or a loss of the model, where `feature` is empty."""

    feature: str
    measure: str


def parse_stream(text: str) -> Stream:
    """Return the stream `text`; raise ValueError with the supported streams."""
    group, _, rest = text.partition(".")
    feature, dot, measure = rest.rpartition(".")
    if group in ("feature", "prediction") and dot and feature and measure in FEATURE_MEASURES:
        return Stream(feature, measure)
    if group == "performance" and rest in LOSSES:
        return Stream("", rest)
    measures, losses = ", ".join(FEATURE_MEASURES), ", ".join(LOSSES)
    raise ValueError(f"give feature.NAME.MEASURE, prediction.NAME.MEASURE ({measures}) or performance.LOSS ({losses})")


def detector_problem(type_: str, parameters: Mapping[str, Any]) -> tuple[str, str]:
    """Return the first problem of a detector and its remedy; two empty strings without a problem."""
    known = DETECTORS.get(type_)
    if known is None:
        near = get_close_matches(type_, DETECTORS, 1, 0.6)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(DETECTORS)}"
        return f"is {quote_value(type_)}, which is not a known detector", hint
    for name, value in parameters.items():
        bounds = known.get(name)
        if bounds is None:
            return f"has the parameter {quote_value(name)}", f"{type_} takes {', '.join(known)}"
        if bounds.words and value not in bounds.words:
            return f"has {name}: {quote_value(value)}", f"give one of {', '.join(bounds.words)}"
        if not bounds.words and not _within(value, bounds):
            kind = "a whole number" if bounds.type is int else "a number"
            return f"has {name}: {quote_value(value)}", f"give {kind} from {bounds.low:g} to {bounds.high:g}"
    if type_ == "river.KSWIN" and parameters.get("stat_size", 30) * 2 > parameters.get("window_size", 100):
        return "has a stat_size of more than half its window_size", "give a longer window_size"
    return "", ""


def _within(value: object, bounds: ParameterBounds) -> bool:
    if isinstance(value, bool) or not isinstance(value, int if bounds.type is int else (int, float)):
        return False
    return bounds.low <= value <= bounds.high
