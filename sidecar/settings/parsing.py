"""Converts a plain tree to the structs of document.py, and collects all problems with path, line, value and remedy.

Types, bounds and units come from the annotations of the structs; do not repeat them here.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from ..errors import hide_path, quote_value
from .errors import MOST_PROBLEMS, DocumentProblem
from .units import UNITS

S = TypeVar("S", bound=msgspec.Struct)

_INVALID: Any = object()
_SCALARS: dict[Any, tuple[str, str]] = {
    bool: ("true or false", "without quotes"),
    float: ("a number", "without quotes"),
    int: ("a whole number", "without quotes"),
    str: ("text", "in quotes"),
}
_CONTAINERS: dict[Any, str] = {dict: "an object", list: "a list", tuple: "a list"}
_WEBHOOKS = ("$.spec.notify", "$.spec.retrain")  # a URL in the wrong place is still a secret
_BOUNDS = (
    ("pattern", "{}", lambda value, bound: re.fullmatch(bound, value) is not None),
    ("ge", "at least {}", lambda value, bound: value >= bound),
    ("gt", "more than {}", lambda value, bound: value > bound),
    ("le", "at most {}", lambda value, bound: value <= bound),
    ("lt", "less than {}", lambda value, bound: value < bound),
    ("min_length", "length at least {}", lambda value, bound: len(value) >= bound),
    ("max_length", "length at most {}", lambda value, bound: len(value) <= bound),
)


@cache
def annotations_of(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the annotations of `struct` by attribute, including inherited ones."""
    return get_type_hints(struct, include_extras=True)


@cache
def _fields_of(struct: type[msgspec.Struct]) -> Mapping[str, Any]:
    return {item.encode_name: item for item in msgspec.structs.fields(struct)}


def unwrap(annotation: Any) -> tuple[Any, tuple[msgspec.Meta, ...]]:
    """Return the type in `annotation` without `| None`, and its Metas, the outermost first."""
    metas: tuple[msgspec.Meta, ...] = ()
    while True:
        if get_origin(annotation) is Annotated:
            metas = tuple(reversed(annotation.__metadata__)) + metas if not metas else metas + annotation.__metadata__
            annotation = annotation.__origin__
            continue
        arguments = [part for part in get_args(annotation) if part is not type(None)]
        if get_origin(annotation) in (Union, types.UnionType) and len(arguments) == 1:
            annotation = arguments[0]
            continue
        return annotation, metas


def unit_of(annotation: Any) -> str | None:
    """Return the unit in `annotation`, None without one."""
    return next((meta.extra["unit"] for meta in unwrap(annotation)[1] if meta.extra and "unit" in meta.extra), None)


class TooManyProblemsError(Exception):
    """The document has `MOST_PROBLEMS` problems; the rest of it is not read."""


@dataclass(slots=True)
class DocumentReader:
    """Reads one tree and collects `problems`, at most `MOST_PROBLEMS`.

    `lines` has the line number of each path, `variables` the environment variable of each path that one has set.
    """

    lines: Mapping[str, int] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    problems: list[DocumentProblem] = field(default_factory=list)

    def struct(self, kind: type[S], value: Any, path: str) -> S | None:
        """Return `value` as `kind`; None if it has problems, which are then in `problems`.

        Raises:
            TooManyProblemsError: there are `MOST_PROBLEMS`.
        """
        found = self._struct(kind, value, path)
        return None if found is _INVALID else found

    def note(self, path: str, what: str, remedy: str) -> Any:
        """Add a problem; return the marker of an invalid value. Raise TooManyProblemsError after the last one."""
        if path in self.variables:
            self.problems.append(DocumentProblem(path, f"{what}, set by {self.variables[path]}", remedy))
        else:
            line = self.lines.get(path) or self.lines.get(path.rpartition(".")[0], 0)
            self.problems.append(DocumentProblem(path, what, remedy, line))
        if len(self.problems) >= MOST_PROBLEMS:
            raise TooManyProblemsError
        return _INVALID

    def _struct(self, kind: type[msgspec.Struct], value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.note(path, f"is {_quoted(value, path)}", f"give an object with {_keys(kind)}")
        fields = _fields_of(kind)
        tag = kind.__struct_config__.tag_field
        for key in sorted(value.keys() - fields.keys() - {tag}) if kind.__struct_config__.forbid_unknown_fields else ():
            self._unknown(key, tuple(fields), path)
        found = {}
        for key, item in fields.items():
            if value.get(key) is None and not item.required:
                continue  # a key without a value has its default, as in Kubernetes
            if key not in value:
                self.note(f"{path}.{key}", "is missing", f"give {self._describe(annotations_of(kind)[item.name])}")
                continue
            found[item.name] = self._value(annotations_of(kind)[item.name], value[key], f"{path}.{key}")
        if _INVALID in found.values() or any(item.required and item.name not in found for item in fields.values()):
            return _INVALID
        return kind(**found)

    def _unknown(self, key: str, known: Sequence[str], path: str) -> None:
        near = get_close_matches(key.lower(), [name.lower() for name in known], 1, 0.6)
        meant = [name for name in known if name.lower() in near]
        remedy = f"did you mean {meant[0]}?" if meant else f"known here: {', '.join(known)}"
        self.note(f"{path}.{key}", "is not a known key", remedy)

    def _value(self, annotation: Any, value: Any, path: str) -> Any:
        kind, metas = unwrap(annotation)
        unit = unit_of(annotation)
        if unit is not None:
            number = UNITS[unit].read(value)
            found = self._wrong(annotation, value, path) if number is None else number
        else:
            found = self._typed(kind, annotation, value, path)
        if found is not _INVALID and not all(_within(meta, found) for meta in metas):
            if isinstance(value, list | dict):
                return self.note(path, f"has {len(value)} entries", f"give {self._describe(annotation)}")
            return self._wrong(annotation, value, path)
        return found

    def _typed(self, kind: Any, annotation: Any, value: Any, path: str) -> Any:
        origin, arguments = get_origin(kind), get_args(kind)
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return self._struct(kind, value, path)
        if origin in (tuple, list):
            return self._list(origin, arguments[0], value, path)
        if origin is dict:
            return self._dict(arguments[1], value, path)
        if origin in (Union, types.UnionType):
            return self._union(arguments, annotation, value, path)
        if kind is Any:
            return value
        if origin is Literal:
            return value if isinstance(value, str) and value in arguments else self._choice(arguments, value, path)
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
        if type(value) is not kind or (kind is float and not math.isfinite(value)):
            return self._wrong(annotation, value, path)
        if kind is str and not _is_unicode(value):
            return self.note(path, f"is {_quoted(value, path)}", "give text in UTF-8")
        return value

    def _list(self, origin: Any, item: Any, value: Any, path: str) -> Any:
        if not isinstance(value, list):
            return self.note(path, f"is {_quoted(value, path)}", f"give a list: [{_quoted(value, path)}]")
        found = [self._value(item, entry, f"{path}[{index}]") for index, entry in enumerate(value)]
        return _INVALID if any(entry is _INVALID for entry in found) else origin(found)

    def _dict(self, item: Any, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self.note(path, f"is {_quoted(value, path)}", "give an object")
        found = {key: self._value(item, entry, f"{path}.{key}") for key, entry in value.items()}
        return _INVALID if any(entry is _INVALID for entry in found.values()) else found

    def _union(self, kinds: Sequence[Any], annotation: Any, value: Any, path: str) -> Any:
        if not all(isinstance(kind, type) and issubclass(kind, msgspec.Struct) for kind in kinds):
            return value if type(value) in kinds else self._wrong(annotation, value, path)
        tags = {kind.__struct_config__.tag: kind for kind in kinds}
        if not isinstance(value, dict):
            return self.note(path, f"is {_quoted(value, path)}", "give an object")
        tag = value.get("type")
        if not isinstance(tag, str) or tag not in tags:
            return self._choice(tuple(tags), tag, f"{path}.type")
        return self._struct(tags[tag], value, path)

    def _choice(self, allowed: Sequence[str], value: Any, path: str) -> Any:
        near = get_close_matches(str(value).lower(), allowed, 1, 0.6)
        guess = f"; did you mean {near[0]}?" if near and len(allowed) > 1 else ""
        return self.note(path, f"is {_quoted(value, path)}", f"give one of {', '.join(allowed)}{guess}")

    def _wrong(self, annotation: Any, value: Any, path: str) -> Any:
        return self.note(path, f"is {_quoted(value, path)}", f"give {self._describe(annotation, value)}")

    def _describe(self, annotation: Any, value: Any = None) -> str:
        kind, metas = unwrap(annotation)
        unit = unit_of(annotation)
        if unit is not None:
            return UNITS[unit].wants
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return f"an object with {_keys(kind)}"
        if get_origin(kind) is Literal:
            return " or ".join(get_args(kind))
        if get_origin(kind) in _CONTAINERS:
            return ", ".join([_CONTAINERS[get_origin(kind)], *_bounds(metas)])
        what, how = _SCALARS.get(kind, ("text or a whole number" if get_args(kind) else "a value", ""))
        mistaken = how and value is not None and (kind is str) != isinstance(value, str)
        return ", ".join([f"{what} {how}" if mistaken else what, *_bounds(metas)])


def _quoted(value: Any, path: str) -> str:
    """Return `value` for a message; below a webhook without anything that may be part of a secret URL."""
    if not path.startswith(_WEBHOOKS):
        return quote_value(value)
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return quote_value(hide_path(value) if isinstance(value, str) else value)


def _is_unicode(text: str) -> bool:
    """Return whether `text` has no lone surrogate: Python puts one for each byte of a variable that is not UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _bounds(metas: Sequence[msgspec.Meta]) -> list[str]:
    given = ((text, getattr(meta, name), (meta.extra or {}).get(name)) for name, text, _ in _BOUNDS for meta in metas)
    return [text.format(words or bound) for text, bound, words in given if bound is not None]


def _keys(kind: type[msgspec.Struct]) -> str:
    return ", ".join(item.encode_name for item in msgspec.structs.fields(kind))


def _within(meta: msgspec.Meta, value: Any) -> bool:
    return all(fits(value, bound) for name, _, fits in _BOUNDS if (bound := getattr(meta, name)) is not None)
