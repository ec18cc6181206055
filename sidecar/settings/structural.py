"""Structs as structural schemas of Kubernetes: one closed tree, without references and without choices of schemas.

Where JSON Schema has a choice, a structural schema has CEL rules: a tagged union becomes one object with a rule for
each field that depends on the tag. Numbers with a unit are int-or-string. Every list, map and text that a rule reads
has a bound, because the API server refuses a schema whose rules could be expensive.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from .parsing import annotations_of, unit_of, unwrap
from .units import LONGEST, UNITS

Schema = dict[str, Any]

INT_OR_STRING: Schema = {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
_SCALARS: dict[Any, str] = {bool: "boolean", float: "number", int: "integer", str: "string"}
_SIZES = {str: ("minLength", "maxLength"), tuple: ("minItems", "maxItems"), dict: ("minProperties", "maxProperties")}


class CelRule(NamedTuple):
    """A rule about an object: it holds if `cel` is true. `field` is the field that the message is about."""

    cel: str
    message: str
    field: str = ""

    def schema(self) -> Schema:
        """Return the rule as an item of x-kubernetes-validations."""
        where = {"fieldPath": f".{self.field}"} if self.field else {}
        return {"rule": self.cel, "message": self.message, **where}


class StructuralTables(NamedTuple):
    """What the structs alone do not say.

    `rules` has the rules of each struct and those that inherit from it. `lists` has the list type of a field by struct
    and key: "set", or the keys of a map; all other lists are atomic. `required` has further required keys.
    """

    rules: Mapping[type[msgspec.Struct], Sequence[CelRule]]
    lists: Mapping[tuple[type[msgspec.Struct], str], Literal["set"] | tuple[str, ...]]
    required: Mapping[type[msgspec.Struct], Sequence[str]]


def struct_schema(struct: type[msgspec.Struct], tables: StructuralTables) -> Schema:
    """Return the structural schema of `struct`, with everything below it inlined."""
    properties: Schema = {}
    required = []
    for item in msgspec.structs.fields(struct):
        annotation = annotations_of(struct)[item.name]
        schema = _schema(annotation, tables)
        if "items" in schema:
            _set_list_type(schema, tables.lists.get((struct, item.encode_name), ()))
        meaning = next((meta.description for meta in unwrap(annotation)[1] if meta.description), "")
        shown = {"description": meaning} if meaning else {}
        default = _default(item, annotation)
        if default is not None:
            shown["default"] = default
        properties[item.encode_name] = {**shown, **schema}
        if item.required or item.encode_name in tables.required.get(struct, ()):
            required.append(item.encode_name)
    rules = [rule for base in struct.__mro__ for rule in tables.rules.get(base, ())]
    return _object(properties, required, rules)


def _object(properties: Schema, required: Sequence[str], rules: Sequence[CelRule]) -> Schema:
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    if rules:
        schema["x-kubernetes-validations"] = [rule.schema() for rule in rules]
    return schema


def _set_list_type(schema: Schema, kind: Literal["set"] | tuple[str, ...]) -> None:
    schema["x-kubernetes-list-type"] = kind if kind == "set" else "map" if kind else "atomic"
    if kind and kind != "set":
        schema["x-kubernetes-list-map-keys"] = list(kind)
        for key in kind:
            if key not in schema["items"].get("required", ()):  # the API server wants one or the other
                schema["items"]["properties"][key].setdefault("default", "")


def _schema(annotation: Any, tables: StructuralTables) -> Schema:
    kind, metas = unwrap(annotation)
    unit = unit_of(annotation)
    if unit is not None:
        return _unit_schema(unit)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return struct_schema(kind, tables)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], tables), **_bounds(tuple, metas)}
    if origin is dict:
        values = arguments[1]
        inner: Schema = (
            {"x-kubernetes-preserve-unknown-fields": True}
            if values is Any
            else {"additionalProperties": _schema(values, tables)}
        )
        return {"type": "object", **inner, **_bounds(dict, metas)}
    if origin in (Union, types.UnionType):
        return _union(arguments, tables)
    return {"type": _SCALARS[kind], **_bounds(kind, metas)}


def _unit_schema(unit: str) -> Schema:
    """Return the schema of a number with a unit: text for a duration, int-or-string for a quantity.

    A duration is text only, as the bound on its length makes rules about it cheap; a quantity has no such bound.
    """
    pattern = UNITS[unit].schema["pattern"]
    if unit == "duration":
        return {"type": "string", "pattern": pattern, "maxLength": LONGEST}
    above = {"exclusiveMinimum": True} if "exclusiveMinimum" in UNITS[unit].schema else {}
    return {**INT_OR_STRING, "pattern": pattern, "minimum": 0, **above}


def _bounds(kind: Any, metas: Sequence[msgspec.Meta]) -> Schema:
    """Return the bounds in `metas`; of two bounds of one kind, both hold in parsing, and the tighter one here."""
    found: Schema = {}
    shortest, longest = _SIZES.get(kind, ("", ""))
    for meta in metas:
        for name, value, choose in (
            ("minimum", meta.ge if meta.gt is None else meta.gt, max),
            ("maximum", meta.le if meta.lt is None else meta.lt, min),
            (shortest, meta.min_length, max),
            (longest, meta.max_length, min),
        ):
            if value is not None:
                found[name] = choose(found.get(name, value), value)
        if meta.gt is not None:
            found["exclusiveMinimum"] = True
        if meta.lt is not None:
            found["exclusiveMaximum"] = True
        if meta.pattern is not None:
            found["pattern"] = meta.pattern
    return found


def _union(kinds: Sequence[Any], tables: StructuralTables) -> Schema:
    if not all(isinstance(kind, type) and issubclass(kind, msgspec.Struct) for kind in kinds):
        return dict(INT_OR_STRING)
    return _tagged_union({kind.__struct_config__.tag: struct_schema(kind, tables) for kind in kinds})


def _tagged_union(members: Mapping[str, Schema]) -> Schema:
    """Return one object for the structs in `members` by tag, with rules for the fields that depend on the tag."""
    properties: Schema = {"type": {"type": "string", "enum": list(members), "description": "Kind of this object."}}
    rules = []
    for name in dict.fromkeys(key for member in members.values() for key in member["properties"]):
        having = {tag: member["properties"][name] for tag, member in members.items() if name in member["properties"]}
        properties[name] = _merged(having)
        if len(having) < len(members):
            properties[name].pop("default", None)  # it would be set for every tag
            rules.append(CelRule(f"{_is(having)} || !has(self.{name})", f"works with type {_any(having)} only", name))
        needing = [tag for tag, member in members.items() if name in member.get("required", ())]
        if 0 < len(needing) < len(members):
            rules.append(CelRule(f"!({_is(needing)}) || has(self.{name})", f"is required with type {_any(needing)}"))
        if "x-kubernetes-int-or-string" in properties[name]:
            rules += _typed_rules(name, having)
    required = set.intersection(*(set(member.get("required", ())) for member in members.values()))
    return _object(properties, ["type", *(name for name in properties if name in required)], rules)


def _is(tags: Iterable[str]) -> str:
    return " || ".join(f"self.type == '{tag}'" for tag in tags)


def _any(tags: Iterable[str]) -> str:
    return " or ".join(tags)


def _merged(schemas: Mapping[str, Schema]) -> Schema:
    """Return a schema that admits what one of `schemas` admits."""
    kinds = {schema.get("type") for schema in schemas.values()}
    if len(kinds) == 1:
        return dict(next(iter(schemas.values())))
    described = " ".join(f"With type {tag}: {schema['description']}" for tag, schema in schemas.items())
    patterns = dict.fromkeys(schema["pattern"] for schema in schemas.values() if "pattern" in schema)
    return {"description": described, **INT_OR_STRING, "pattern": "|".join(patterns)}


def _typed_rules(name: str, schemas: Mapping[str, Schema]) -> Iterator[CelRule]:
    """Yield the two rules for a field that is a duration with some tags and a quantity of more than 0 with others.

    The pattern of the field admits both. A rule with a pattern would exceed the cost that the API server allows.
    """
    text = [tag for tag, schema in schemas.items() if schema.get("type") == "string"]
    number = [tag for tag in schemas if tag not in text]
    value = f"self.{name}"
    ends = " || ".join(f"{value}.endsWith('{unit}')" for unit in ("s", "m", "h", "d", "w"))
    is_text = f"type({value}) == string && ({value} == '0' || {ends})"
    above_zero = f"isQuantity({value}) && quantity({value}).isGreaterThan(quantity('0'))"
    is_positive = f"type({value}) == int ? {value} > 0 : {above_zero}"
    for tags, holds, words in (
        (text, is_text, "text such as 250ms"),
        (number, is_positive, 'a quantity of more than 0, such as 8 or "500m"'),
    ):
        cel = f"!({_is(tags)}) || !has({value}) || ({holds})"
        yield CelRule(cel, f"with type {_any(tags)}, give {words}", name)


def _default(item: msgspec.structs.FieldInfo, annotation: Any) -> Any:
    """Return the default of a field as in a document; None without one, and for blocks and empty values."""
    if item.required or item.default_factory is not msgspec.NODEFAULT:
        return None
    default, unit = item.default, unit_of(annotation)
    if default is None or isinstance(default, msgspec.Struct) or default in ((), ""):
        return None
    if unit is not None:
        return UNITS[unit].show(default)
    return list(default) if isinstance(default, tuple) else default
