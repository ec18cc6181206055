"""Request targets to route templates: numbers, UUIDs and hashes in a path become placeholders.

A route is the unit of the proxy's counters. The counter page has a fixed number of slots, so a route must not depend on
identifiers in a path. Clients choose targets, so every step takes time that is linear in the length of the target.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"))  # RFC 9110, 5789
OTHER_METHOD = "{method} *"  # the route of requests with another method

_LONGEST = 96
_LONGEST_PATH = 512  # characters; a longer path matches no template of the user and is not decoded
_EXAMINED = 256  # characters in which placeholders are looked for; 150 ns a segment
_VARIABLE = re.compile(
    r"(?<=/)(?:"
    r"(?P<number>[+-]?\d++(?:\.\d++)?)"
    r"|(?P<uuid>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})"
    r"|(?P<hash>(?=[a-zA-Z]*+\d)(?:[0-9a-fA-F]{8,}+|(?=[^\d/]*+\d[^\d/]*+\d)[0-9a-zA-Z_-]{20,}+)"
    rf"|[^/]{{{_LONGEST + 1},}}+)"  # longer than a route can be: an identifier
    r")(?=/|\Z)"
)
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_ENCODED = {code: f"%{code:02X}" for code in range(256) if not 0x20 < code < 0x7F}
_KEPT = frozenset("%/?#")  # these separate parts of a target when they are not encoded
_FIELD = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")


class RouteTemplates:
    """Determines the route of a request: the first matching template of the user, or else the path with placeholders.

    A template is a path in which `{name}` matches one segment, or a part of one: `/v2/models/{model}/infer`.
    """

    def __init__(self, templates: Sequence[str] = ()) -> None:
        self._templates = [(template, _compile(template)) for template in templates]

    def route(self, method: str, target: str) -> str:
        """Return the route, `METHOD /template`, of a request target in any form (RFC 9112, 3.2), without its query.

        All requests with a method that is not in METHODS have one route, because clients can make up methods.

        Percent-encoded characters are decoded, except control characters and those that separate parts of a target.
        """
        if method not in METHODS:
            return OTHER_METHOD
        path = _path(target)
        if len(path) <= _LONGEST_PATH:
            for template, pattern in self._templates:
                if pattern.fullmatch(path):
                    return f"{method} {template}"
        return f"{method} {_VARIABLE.sub(_placeholder, path[:_EXAMINED])}"[:_LONGEST]


def _path(target: str) -> str:
    path = target.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        scheme, separator, rest = path.partition("://")
        if not (separator and scheme.isalpha()):
            return "*" if path == "*" else "{authority}"
        path = "/" + rest.partition("/")[2]
    return _normalised(path)


def _normalised(path: str) -> str:
    """Return the path with one spelling for each character that may be percent-encoded."""
    if len(path) > _LONGEST_PATH:
        return path
    if "%" in path:
        path = _ESCAPE.sub(_unescape, path)
    return path if path.isascii() and path.isprintable() and " " not in path else path.translate(_ENCODED)


def _unescape(escape: re.Match[str]) -> str:
    code = int(escape[0][1:], 16)
    return chr(code) if 0x20 < code < 0x7F and chr(code) not in _KEPT else f"%{code:02X}"


def _placeholder(variable: re.Match[str]) -> str:
    return f"{{{variable.lastgroup}}}"


def _compile(template: str) -> re.Pattern[str]:
    """Return the expression of a template. Atomic groups keep it from backtracking over several fields."""
    literals = [re.escape(_normalised(literal)) for literal in _FIELD.split(template)]
    if len(literals) == 1:
        return re.compile(literals[0])
    first, *middle, last = literals
    return re.compile(first + "".join(map(_field, middle)) + f"[^/]+{last}")


def _field(following: str) -> str:
    """Return the expression of a field and the literal after it. A whole segment is scanned 50 times as fast."""
    return f"[^/]++{following}" if following.startswith("/") else f"(?>[^/]+?{following})"
