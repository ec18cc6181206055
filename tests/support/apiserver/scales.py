"""The scale subresource, and who wrote the replicas of an object: its entries in `metadata.managedFields`.

As in Kubernetes: a change of the replicas takes the field away from all others, and the entry of a write through the
scale subresource has no time.
"""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from tests.support.apiserver.problems import Problem

Object = dict[str, Any]
NOT_SCALABLE = {"configmaps", "daemonsets", "inferenceservices", "llminferenceservices", "pods", "services"}


def scale_of(found: Object, plural: str) -> Object:
    """Return the scale of an object; raise Problem 404 for a kind without one. 0 replicas are left out."""
    spec, status, metadata = found.get("spec") or {}, found.get("status") or {}, found["metadata"]
    if plural in NOT_SCALABLE:
        raise Problem(404, "NotFound", "the server could not find the requested resource")
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {key: metadata[key] for key in kept if key in metadata},
        "spec": {"replicas": spec["replicas"]} if spec.get("replicas") else {},
        "status": {
            "replicas": status.get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }


def scaled(found: Object, scale: Object) -> Object:
    """Return the object with the replicas and the resourceVersion of a scale."""
    after = copy.deepcopy(found)
    after["spec"]["replicas"] = (scale.get("spec") or {}).get("replicas", 0)
    after["metadata"] |= {key: value for key, value in scale["metadata"].items() if key in {"name", "resourceVersion"}}
    return after


def written(before: Object, after: Object, manager: str, operation: str = "Update", subresource: str = "") -> Object:
    """Return `after` with an entry for `manager` if the replicas are others than `before`."""
    replicas = (after.get("spec") or {}).get("replicas")
    if not manager or replicas is None or replicas == (before.get("spec") or {}).get("replicas"):
        return after
    entries = [_without(entry) for entry in before.get("metadata", {}).get("managedFields") or ()]
    entry: Object = {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    if subresource:
        entry["subresource"] = subresource
    else:
        entry["time"] = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    after = copy.deepcopy(after)
    after["metadata"]["managedFields"] = [*(one for one in entries if one["fieldsV1"]), entry]
    return after


def _without(entry: Object) -> Object:
    spec = {key: value for key, value in entry["fieldsV1"].get("f:spec", {}).items() if key != "f:replicas"}
    others = {key: value for key, value in entry["fieldsV1"].items() if key != "f:spec"}
    return {**entry, "fieldsV1": {**others, **({"f:spec": spec} if spec else {})}}
