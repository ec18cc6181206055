r"""JSONPath: the subset of RFC 9535 that `spec.traffic.decode` accepts.

    path     = "$" *step
    step     = "." name | "['" text "']" | '["' text '"]' | "[" number "]" | "[*]" | ".*"

A name starts with a letter or `_` and continues with letters, digits and `_`; any other key is written in quotes. The
wildcard selects the elements of a list. It does not select the members of an object, because their order has no
meaning. Filters, slices, unions, descendants, functions and negative numbers are not supported.

Settings parse a path once. The decoder evaluates the steps (`analyzer/decode/own_json.py`).
"""

from __future__ import annotations

import json
import re

import msgspec

from ..errors import quote_value

MAX_STEPS = 16
_NAME = r"[A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff][0-9A-Za-z_\u0080-\ud7ff\ue000-\U0010ffff]*"
_STEP = re.compile(
    rf"""\.(?P<name>{_NAME})
    | \[[ \t]*(?P<index>0|[1-9][0-9]{{0,8}})[ \t]*\]
    | (?P<wildcard>\.\*|\[[ \t]*\*[ \t]*\])
    | \[[ \t]*(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")[ \t]*\]""",
    re.VERBOSE,
)
_UNSUPPORTED = (
    (re.compile(r"\.\."), "a descendant, which is not supported", "name every key from $"),
    (re.compile(r"\[\s*\?"), "a filter, which is not supported", "select all elements with [*]"),
    (re.compile(r"\[\s*-\d"), "a negative index, which is not supported", "count from the start: [0]"),
    (re.compile(r"\[[^\]'\"]*:"), "a slice, which is not supported", "select all elements with [*]"),
    (re.compile(r"\[[^\]]*,"), "a union, which is not supported", "select one key, or use inputColumns"),
    (re.compile(r"\.\d"), "an index after a dot", "write it in brackets: [0]"),
    (re.compile(r"\.?[^\s.\[]"), "a character that a key after a dot cannot have", "write the key as ['my-key']"),
    (re.compile(r"\[[^\]'\"*\d]"), "a key without quotes", "write the key as ['name']"),
)


class JsonPath(msgspec.Struct, frozen=True):
    """A parsed path.

    Attributes:
        steps: a key (str), an index (int) or the wildcard (None) each.
    """

    steps: tuple[str | int | None, ...] = ()

    @property
    def many(self) -> bool:
        """Whether the path has a wildcard and can select several values."""
        return None in self.steps

    @property
    def name(self) -> str:
        """The last key of the path; "" without one."""
        return next((step for step in reversed(self.steps) if isinstance(step, str)), "")


class JsonPathError(ValueError):
    """The text is not a supported path: `what` is wrong, and the `remedy`."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")
        self.what = what
        self.remedy = remedy


def parse_path(text: str) -> JsonPath:
    """Return the path `text`; raise JsonPathError."""
    if not text.startswith("$"):
        raise JsonPathError(f"is {quote_value(text)}, which does not start with $", "give a path such as $.rows[*]")
    steps: list[str | int | None] = []
    at = 1
    while at < len(text):
        found = _STEP.match(text, at)
        if found is None:
            raise _unsupported(text, at)
        if found["index"]:
            steps.append(int(found["index"]))
        elif found["wildcard"]:
            steps.append(None)
        else:
            steps.append(found["name"] or _unquote(text, found["quoted"]))
        at = found.end()
    if len(steps) > MAX_STEPS:
        raise JsonPathError(f"has {len(steps)} steps", f"give at most {MAX_STEPS}")
    return JsonPath(tuple(steps))


def _unsupported(text: str, at: int) -> JsonPathError:
    place = f"is {quote_value(text)}, with {{}} at character {at + 1}"
    for pattern, what, remedy in _UNSUPPORTED:
        if pattern.match(text, at):
            return JsonPathError(place.format(what), remedy)
    return JsonPathError(
        place.format(quote_value(text[at : at + 12])), "give a path such as $.rows[*], $['my-key'] or $.items[0].x"
    )


def _unquote(text: str, quoted: str) -> str:
    """Return the key in a quoted step, which has the escapes of a JSON string."""
    inner = quoted[1:-1]
    if quoted[0] == "'":
        inner = re.sub(r"\\.|\"", lambda pair: {"\\'": "'", '"': '\\"', '\\"': "\\x"}.get(pair[0], pair[0]), inner)
    try:
        key = json.loads(f'"{inner}"')
        key.encode()
    except ValueError:
        raise JsonPathError(
            f"is {quote_value(text)}, whose key {quote_value(quoted)} is not a text of JSON", "use the escapes of JSON"
        ) from None
    return str(key)
