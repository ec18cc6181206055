"""Checks a Kubernetes manifest: against the schema of its kind, and against the Pod Security Standard `restricted`.

`data/kubernetes-1.34.json` has the definitions of Kubernetes 1.34 (Apache-2.0), without descriptions, for the kinds of
the examples. Unknown keys are problems.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

SCHEMAS: dict[str, Any] = json.loads((Path(__file__).with_name("data") / "kubernetes-1.34.json").read_text())
TYPES: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}


def documents(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a manifest."""
    return list(yaml.safe_load_all(path.read_text()))


def problems(value: Any, schema: dict[str, Any], path: str = "$") -> Iterator[str]:
    """Yield what of `value` the schema refuses."""
    if "$ref" in schema:
        yield from problems(value, SCHEMAS[schema["$ref"]], path)
        return
    if "oneOf" in schema:
        if all(list(problems(value, one, path)) for one in schema["oneOf"]):
            yield f"{path}: {value!r} fits no form"
        return
    names = schema.get("type", list(TYPES))
    kinds = [kind for name in ([names] if isinstance(names, str) else names) for kind in TYPES[name]]
    if not isinstance(value, tuple(kinds)) or (isinstance(value, bool) and bool not in kinds):
        yield f"{path}: {value!r} is no {names}"
    elif value is not None and value not in schema.get("enum", [value]):
        yield f"{path}: {value!r} is none of {schema['enum']}"
    elif isinstance(value, dict):
        yield from _of_object(value, schema, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(item, schema.get("items", {}), f"{path}[{index}]")


def _of_object(value: dict[str, Any], schema: dict[str, Any], path: str) -> Iterator[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    yield from (f"{path}.{name} is missing" for name in schema.get("required", ()) if name not in value)
    for name, item in value.items():
        if name in known:
            yield from problems(item, known[name], f"{path}.{name}")
        elif others is False:
            yield f"{path}.{name} is unknown"
        elif isinstance(others, dict):
            yield from problems(item, others, f"{path}.{name}")


def restrictions(pod: dict[str, Any]) -> Iterator[str]:
    """Yield what of a pod the Pod Security Standard `restricted` refuses, and a writable root file system."""
    common = pod.get("securityContext", {})
    if not common.get("runAsNonRoot") or common.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "the pod may run as root or without seccomp"
    for container in containers(pod):
        own = container.get("securityContext", {})
        if own.get("allowPrivilegeEscalation") is not False or own.get("capabilities") != {"drop": ["ALL"]}:
            yield f"{container['name']} may get privileges"
        if not own.get("readOnlyRootFilesystem"):
            yield f"{container['name']} may write to its root file system"
    if any(key.startswith("host") and pod[key] for key in pod):
        yield "the pod uses a namespace of the host"


def containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a pod, in the order of their start."""
    return [*pod.get("initContainers", ()), *pod["containers"]]


def references(pod: dict[str, Any]) -> Iterator[str]:
    """Yield names of volumes and ports that are used and not defined, or defined and not used."""
    defined = {volume["name"] for volume in pod.get("volumes", ())}
    used = {mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", ())}
    yield from sorted(defined ^ used)
    for container in containers(pod):
        ports = {port["name"] for port in container.get("ports", ())}
        named = re.findall(r"'port': '(\w+)'", str(container))
        yield from (f"{container['name']}: {name}" for name in named if name not in ports)
