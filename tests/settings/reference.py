"""Generates the table of settings in docs/configuration.md from the structs, between two marks in the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

import msgspec

from pilotfish.sidecar.settings.document import ModelMonitor
from pilotfish.sidecar.settings.parsing import annotations_of, unit_of, unwrap
from pilotfish.sidecar.settings.units import UNITS

BEGIN = "<!-- settings: written by `make generate` -->\n"
END = "<!-- end of settings -->\n"
_SET_BY_KUBERNETES = "Set by Kubernetes."
_WORDS = {bool: "true, false", float: "number", int: "whole number", str: "text", dict: "object", Any: "any"}


def with_settings(page: str) -> str:
    """Return `page` with the current table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def table() -> str:
    """Return the table with one row per setting: path, values, default, meaning."""
    rows = ["| setting | value | default | meaning |", "| --- | --- | --- | --- |"]
    for path, kind, default, meaning in settings(ModelMonitor):
        rows.append(f"| `{path}` | {kind} | {default} | {meaning} |")
    return "\n".join(rows) + "\n"


def settings(struct: type[msgspec.Struct], path: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Yield (path, kind of value, default, meaning) of every setting below `struct`, depth first."""
    for item in msgspec.structs.fields(struct):
        annotation = annotations_of(struct)[item.name]
        kind, metas = unwrap(annotation)
        meaning = next((meta.description for meta in metas if meta.description), "")
        here = f"{path}.{item.encode_name}".lstrip(".")
        if meaning == _SET_BY_KUBERNETES:
            continue
        inner, suffix = _inner(kind)
        yield f"{here}", _kind(annotation, kind, inner), _default(item, annotation), meaning
        for part in inner:
            tag = part.__struct_config__.tag
            mark = f"{here}[type={tag}]" if tag else f"{here}{suffix}"
            yield from settings(part, mark)


def _inner(kind: Any) -> tuple[list[type[msgspec.Struct]], str]:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind], ""
    suffix = {tuple: "[]", dict: ".NAME"}.get(get_origin(kind) or kind, "")
    found = []
    for part in get_args(kind):
        found += [option for option in (get_args(part) or (part,)) if isinstance(option, type)]
    return [part for part in found if issubclass(part, msgspec.Struct)], suffix


def _kind(annotation: Any, kind: Any, inner: list[type[msgspec.Struct]]) -> str:
    unit = unit_of(annotation)
    if unit is not None:
        return unit
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    if get_origin(kind) in (tuple, list):
        return "list"
    if inner or get_origin(kind) is dict:
        return "object"
    return _WORDS.get(kind, "text")


def _default(item: msgspec.structs.FieldInfo, annotation: Any) -> str:
    if item.required:
        return "required"
    default = item.default_factory() if item.default_factory is not msgspec.NODEFAULT else item.default
    if default is None or isinstance(default, msgspec.Struct) or default in ((), "") or isinstance(default, Mapping):
        return ""
    unit = unit_of(annotation)
    if unit is not None:
        return f"`{UNITS[unit].show(default)}`"
    if isinstance(default, tuple):
        return f"`{', '.join(default)}`"
    text = str(default).lower() if isinstance(default, bool) else str(default)
    return f"`{default:g}`" if isinstance(default, float) else f"`{text}`"
