"""Reads what the lint needs from a PromQL expression: selectors with their matchers, windows and functions.

This is no parser: `make test-real` has Prometheus itself evaluate every expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SELECTOR = re.compile(r"(?<![\w:$\"])([A-Za-z_:][\w:]*)\s*(\{[^{}]*\})?\s*(?:\[([^\]]*)\])?")
_MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^()]*)\)")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_VARIABLE = re.compile(r"\$\{?(\w+)")
KEYWORDS = frozenset({"and", "bool", "offset", "or", "unless"})
BUILT_IN = ("__from", "__interval", "__range", "__rate_interval", "__to")


@dataclass(frozen=True, slots=True)
class Selector:
    """One use of a metric.

    Attributes:
        labels: the labels that its matchers name.
        window: the text of its range, such as `$__rate_interval`; empty without one.
        function: the function that is applied directly, such as `rate`; empty without one.
    """

    metric: str
    labels: tuple[str, ...]
    window: str
    function: str


def selectors(expr: str) -> Iterator[Selector]:
    """Yield each selector of an expression."""
    kept = _GROUPING.sub(lambda found: " " * len(found[0]), expr)
    for found in _SELECTOR.finditer(kept):
        name, matchers, window = found[1], found[2] or "", found[3] or ""
        inside = kept.count("{", 0, found.start()) > kept.count("}", 0, found.start())
        called = kept[found.end() :].lstrip().startswith("(") and not matchers
        if inside or called or name in KEYWORDS or _in_text(kept, found.start()):
            continue
        before = re.search(r"(\w+)\(\s*$", kept[: found.start()])
        labels = tuple(_MATCHER.findall(matchers))
        yield Selector(name, labels, window, before[1] if before else "")


def variables(text: str) -> set[str]:
    """Return the dashboard's variables that a text uses, without Grafana's own ones."""
    return {name for name in _VARIABLE.findall(text) if not name.startswith("__")}


def _in_text(expr: str, position: int) -> bool:
    return any(found.start() < position < found.end() for found in _TEXT.finditer(expr))
