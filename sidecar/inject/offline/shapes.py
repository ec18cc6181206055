"""The shape of the objects that injection reads: a file is checked before, as the API server checks an admitted pod.

A shape is a type, a tuple of types, a `Mapping` of known fields, `[shape]` for a list, or `Of(shape)` for a map with
any keys. Fields that a shape does not name are not checked. Null stands for an absent field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import quote_value


@dataclass(frozen=True)
class Of:
    """A map with any keys, whose values have one shape."""

    shape: Any


Quantity = (str, int, float)
Port = (int, str)

TEXTS = Of(str)
METADATA = {
    "annotations": TEXTS,
    "generateName": str,
    "labels": TEXTS,
    "name": str,
    "namespace": str,
    "ownerReferences": [{"apiVersion": str, "kind": str, "name": str, "controller": bool}],
}
_HANDLER = {
    "exec": {"command": [str]},
    "grpc": {"port": int, "service": str},
    "httpGet": {"host": str, "path": str, "port": Port, "scheme": str, "httpHeaders": [{"name": str, "value": str}]},
    "tcpSocket": {"host": str, "port": Port},
}
_RESOURCES = {"limits": Of(Quantity), "requests": Of(Quantity)}
_SECURITY = {
    "capabilities": {"add": [str], "drop": [str]},
    "privileged": bool,
    "runAsGroup": int,
    "runAsNonRoot": bool,
    "runAsUser": int,
}
CONTAINER = {
    "args": [str],
    "command": [str],
    "env": [{"name": str, "value": str, "valueFrom": {}}],
    "envFrom": [{}],
    "image": str,
    "lifecycle": {"postStart": _HANDLER, "preStop": _HANDLER},
    "livenessProbe": _HANDLER,
    "name": str,
    "ports": [{"containerPort": int, "hostPort": int, "name": str, "protocol": str}],
    "readinessProbe": _HANDLER,
    "resources": _RESOURCES,
    "restartPolicy": str,
    "securityContext": _SECURITY,
    "startupProbe": _HANDLER,
    "volumeMounts": [{"mountPath": str, "name": str, "subPath": str}],
    "workingDir": str,
}
POD = {
    "metadata": METADATA,
    "spec": {
        "automountServiceAccountToken": bool,
        "containers": [CONTAINER],
        "hostNetwork": bool,
        "imagePullSecrets": [{"name": str}],
        "initContainers": [CONTAINER],
        "nodeSelector": TEXTS,
        "os": {"name": str},
        "resources": _RESOURCES,
        "restartPolicy": str,
        "securityContext": {**_SECURITY, "fsGroup": int},
        "serviceAccountName": str,
        "shareProcessNamespace": bool,
        "terminationGracePeriodSeconds": int,
        "volumes": [{"name": str}],
    },
}
NAMESPACE = {"metadata": METADATA}
SERVICE = {
    "metadata": METADATA,
    "spec": {
        "ports": [{"appProtocol": str, "name": str, "port": int, "protocol": str, "targetPort": Port}],
        "selector": TEXTS,
        "type": str,
    },
}
INFERENCE_POOL = {
    "metadata": METADATA,
    "spec": {
        "selector": {},  # a map of labels, or an object with matchLabels
        "targetPortNumber": int,
        "targetPorts": [{"number": int}],
    },
}
MONITOR = {
    "metadata": METADATA,
    "spec": {
        "targetRef": {"apiVersion": str, "kind": str, "name": str},
        "traffic": {"interception": str, "ports": [Port]},
    },
}
_NAMES = {bool: "true or false", dict: "an object", float: "a number", int: "an integer", list: "a list", str: "text"}


def problems(value: Any, shape: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield path and problem of each value that has another shape; absent fields have none."""
    if isinstance(shape, Mapping | Of):
        if not isinstance(value, dict):
            yield path, _not(value, dict)
            return
        for name, item in value.items():
            inner = shape.shape if isinstance(shape, Of) else shape.get(name)
            if item is not None and inner is not None:
                yield from problems(item, inner, f"{path}.{name}" if path else name)
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield path, _not(value, list)
            return
        for at, item in enumerate(value):
            yield from problems(item, shape[0], f"{path}[{at}]")
    else:
        types = shape if isinstance(shape, tuple) else (shape,)
        if type(value) not in types:
            yield path, _not(value, *types)


def without_nulls(value: Any) -> Any:
    """Return a copy of a JSON value without the fields that are null, as the API server stores it."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [*map(without_nulls, value)] if isinstance(value, list) else value


def _not(value: Any, *types: type) -> str:
    wanted = " or ".join(_NAMES[kind] for kind in types)
    found = f"is {_NAMES[type(value)]}" if isinstance(value, dict | list) else f"is {quote_value(value)}"
    return f"{'is null' if value is None else found}, not {wanted}"
