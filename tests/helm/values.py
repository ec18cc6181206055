"""values.yaml and the table of docs/chart.md, generated from helm/values.schema.json."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "helm/values.schema.json"
_HEAD = "# Written by `make generate` from values.schema.json, which is closed: a value that is not here is an error.\n"


def properties() -> dict[str, Any]:
    """Return the schemas of the top-level values, without those that Helm itself passes."""
    found: dict[str, Any] = json.loads(SCHEMA.read_text())["properties"]
    return {name: schema for name, schema in found.items() if name not in {"enabled", "global"}}


def values_text() -> str:
    """Return values.yaml: each value with its description and default."""
    return _HEAD + "".join(f"\n{text}" for text in map(_block, *zip(*properties().items(), strict=True)))


def values_table() -> str:
    """Return the table of all values in Markdown."""
    rows = [
        f"| `{path}` | `{json.dumps(schema['default'], ensure_ascii=False)}` | {schema['description']} |"
        for path, schema in leaves(properties())
    ]
    return "\n".join(["| value | default | meaning |", "| --- | --- | --- |", *rows])


def leaves(schemas: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the schema of each value that has a default."""
    for name, schema in schemas.items():
        if "default" in schema:
            yield prefix + name, schema
        else:
            yield from leaves(schema["properties"], f"{prefix}{name}.")


def _block(name: str, schema: dict[str, Any]) -> str:
    comment = textwrap.indent(textwrap.fill(schema["description"], 110, break_on_hyphens=False), "# ")
    if "default" in schema:
        return f"{comment}\n{yaml.safe_dump({name: schema['default']}, sort_keys=False)}"
    inner = "".join(_block(key, value) for key, value in schema["properties"].items())
    return f"{comment}\n{name}:\n{textwrap.indent(inner, '  ')}"
