"""Plain scalars of YAML as kubectl reads them, and texts that each reader of YAML takes for the same value.

kubectl follows YAML 1.1 for booleans (`yes`, `on`) and octal numbers (`0644`), and knows neither sexagesimal numbers
nor dates. Text is written so that readers of YAML 1.1 and 1.2 agree: when in doubt, in double quotes.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, ClassVar

import yaml

MAX_DIGITS = 400  # of a number; a longer one is text

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_INTEGER = re.compile(r"([-+]?)(0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*|0)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
TAG = "tag:yaml.org,2002:"
# Text that needs no quotes anywhere: no number, date, constant or indicator of YAML begins or looks like it.
_CLEAR = re.compile(r"(?:--?)?[A-Za-z/][A-Za-z0-9_./@=-]*(?::[A-Za-z0-9_./@=-]+)*|[0-9]+(?:m|[KMGT]i)")
_UNUSUAL = re.compile(r"[^\x20-\x7e]")
_AMBIGUOUS = {*_CONSTANTS, "y", "Y", "n", "N"}


def plain_value(text: str) -> Any:
    """Return the value of the plain scalar `text`: None, a boolean, an int, a finite float, or the text itself."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if len(text) > MAX_DIGITS:
        return text
    if found := _INTEGER.fullmatch(text):
        digits = found[2].replace("_", "")
        octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
        try:
            return int(found[1] + (f"0o{digits[1:]}" if octal else digits), 0)
        except ValueError:  # an underscore where a digit must be
            return text
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


class ManifestLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the faster one
    """Composes nodes whose tags are those of `plain_value`, and `tag:yaml.org,2002:merge` for a merge key."""

    yaml_implicit_resolvers: ClassVar[dict[Any, Any]] = {}


for _name, _pattern in (
    ("bool", "|".join(word for word, value in _CONSTANTS.items() if value is not None)),
    ("null", "~|null|Null|NULL|"),
    ("int", _INTEGER.pattern),
    ("float", _FLOAT.pattern),
    ("merge", "<<"),
):
    ManifestLoader.add_implicit_resolver(TAG + _name, re.compile(rf"(?:{_pattern})\Z"), None)


def is_clear(text: str) -> bool:
    """Return whether every reader of YAML takes the plain scalar `text` for this text."""
    return bool(_CLEAR.fullmatch(text)) and text not in _AMBIGUOUS


class _Dumper(yaml.SafeDumper):
    """Writes JSON values: no anchors, and strings in double quotes unless they are clear."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  overrides a method of the library
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_clear(text) else '"')


_Dumper.add_representer(str, _text)


def dump(value: Any, *, flow: bool = False) -> str:
    """Return `value` as YAML that ends without a line end: in block style, or with `flow` in one line."""
    if flow:
        return _flow(value)
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, width=2**31, allow_unicode=True, default_flow_style=False)
    return text.removesuffix("\n").removesuffix("\n...")


def _flow(value: Any) -> str:
    """Return a value in flow style: `{name: a, ports: [1]}`."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return value if is_clear(value) else _UNUSUAL.sub(_escape, json.dumps(value, ensure_ascii=False))
    return json.dumps(value)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return found[0] if found[0].isprintable() else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
