"""Request targets to route templates: numbers, UUIDs and hashes in a path become placeholders.

A route is the unit of the proxy's counters. The counter page has a fixed number of slots, so a route must not depend on
identifiers in a path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LONGEST = 96
_PLACEHOLDERS = (
    ("{number}", re.compile(r"[+-]?\d+(?:\.\d+)?\Z")),
    ("{uuid}", re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\Z")),
    ("{hash}", re.compile(r"(?=[a-zA-Z]*\d)(?:[0-9a-fA-F]{8,}|(?=[^\d]*\d[^\d]*\d)[0-9a-zA-Z_-]{20,})\Z")),
)
_FIELD = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


class RouteTemplates:
    """Determines the route of a request: the first matching template of the user, or else the path with placeholders.

    A template is a path in which `{name}` matches one segment: `/v2/models/{model}/infer`.
    """

    def __init__(self, templates: Sequence[str] = ()) -> None:
        self._templates = [(template, _compile(template)) for template in templates]

    def route(self, method: str, target: str) -> str:
        """Return the route, `METHOD /template`, of a request target in any form (RFC 9112, 3.2), without its query."""
        path = _path(target)
        for template, pattern in self._templates:
            if pattern.fullmatch(path):
                return f"{method} {template}"
        return f"{method} {'/'.join(map(_segment, path.split('/')))}"[:_LONGEST]


def _path(target: str) -> str:
    path = target.partition("?")[0].partition("#")[0]
    if path.startswith("/"):
        return path
    scheme, separator, rest = path.partition("://")
    if separator and scheme.isalpha():
        return "/" + rest.partition("/")[2]
    return "*" if path == "*" else "{authority}"


def _segment(segment: str) -> str:
    for placeholder, pattern in _PLACEHOLDERS:
        if pattern.match(segment):
            return placeholder
    return segment


def _compile(template: str) -> re.Pattern[str]:
    parts, at = [], 0
    for field in _FIELD.finditer(template):
        parts += [re.escape(template[at : field.start()]), "[^/]+"]
        at = field.end()
    return re.compile("".join(parts) + re.escape(template[at:]))
