"""The JSON schema of the document, for editors and for validation without Pilotfish.

It is generated from the structs of document.py. After a change there, `make generate` updates the copy in docs/.
"""

from __future__ import annotations

from typing import Any

import msgspec

from .document import ModelMonitor
from .parsing import annotations_of, unit_of
from .units import UNITS

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema of a document (JSON Schema 2020-12)."""
    (reference,), components = msgspec.json.schema_components([ModelMonitor], ref_template="#/$defs/{name}")
    for struct in _structs(ModelMonitor):
        _show_units(struct, components[struct.__name__]["properties"])
    return {"$schema": DIALECT, "title": "ModelMonitor", **reference, "$defs": components}


def _show_units(struct: type[msgspec.Struct], properties: dict[str, Any]) -> None:
    """Show units and defaults as in a document; remove the defaults of blocks and defaults of null."""
    for item in msgspec.structs.fields(struct):
        schema = properties[item.encode_name]
        unit = unit_of(annotations_of(struct)[item.name])
        if unit is not None:
            schema.update(UNITS[unit].schema)
            if not item.required and item.default is not None:
                schema["default"] = UNITS[unit].show(item.default)
        if item.default is None or isinstance(item.default, msgspec.Struct):
            schema.pop("default", None)


def _structs(root: type[msgspec.Struct]) -> list[type[msgspec.Struct]]:
    found: list[type[msgspec.Struct]] = []
    waiting: list[Any] = [msgspec.inspect.type_info(root)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType) and info.cls not in found:
            found.append(info.cls)
            waiting += [item.type for item in info.fields]
        for name in ("type", "item_type", "value_type"):
            if hasattr(info, name):
                waiting.append(getattr(info, name))
        waiting += getattr(info, "types", ())
    return found
