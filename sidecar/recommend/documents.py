"""The advice as documents: JSON for programs, and patches of templates that a person may apply. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import msgspec
import yaml

from ..podspec.amounts import ContainerResources
from ..podspec.quantity import format_quantity
from .advice import Advice
from .recommended import Bounds
from .workload import MeasuredWorkload

Json = dict[str, Any]
TEMPLATED = frozenset(("DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"))  # kinds with spec.template in apps/v1


def as_json(advices: Sequence[Advice], namespace: str, problems: Sequence[str], at: float) -> str:
    """Return everything that is known as JSON; amounts are quantities of Kubernetes, times Unix seconds."""
    workloads = [
        {
            "kind": workload.target.kind,
            "name": workload.target.name,
            "monitor": workload.monitor.metadata.name if workload.monitor else None,
            "pods": len(workload.pods),
            "containers": [_container(advice) for advice in group],
        }
        for workload, group in _by_workload(advices)
    ]
    document = {"at": at, "namespace": namespace, "workloads": workloads, "problems": list(problems)}
    return msgspec.json.format(msgspec.json.encode(document), indent=1).decode()


def _container(advice: Advice) -> Json:
    found = advice.recommended
    recommended = found and {
        "source": found.source,
        "target": _amounts(found.target),
        "lower": _amounts(found.lower),
        "upper": _amounts(found.upper),
        "uncapped": _amounts(found.uncapped),
        "confidence_days": round(found.confidence_days, 4),
        "samples": found.samples,
        "throttling": {
            "how": found.throttling.how,
            "samples": found.throttling.samples,
            "throttled": found.throttling.throttled,
            "measure": found.throttling.measure,
            "limits": found.throttling.limits,
            "decides": found.throttling.decides,
        },
    }
    return {
        "name": advice.container.name,
        "now": advice.now.as_object(),
        "recommended": recommended,
        "proposed": advice.proposed.as_object() if found else None,
        "notes": list(advice.notes),
        "not_applied": advice.unapplied,
        "cost_change_30_days": None if advice.cost is None else round(advice.cost, 4),
        "currency": advice.workload.prices.currency,
    }


def as_patches(advices: Sequence[Advice]) -> Iterator[str]:
    """Yield one document of YAML for each workload: a strategic merge patch of its template, with comments."""
    for workload, group in _by_workload(advices):
        changed = [one for one in group if one.recommended and one.is_changed]
        own = [one for one in changed if one.container.is_own]
        templated = [one for one in changed if one not in own]
        for one in own:
            yield f"# {one.container.name}: {one.unapplied}\n"
        if not templated:
            yield f"# {workload.title}: nothing to change\n"
        elif workload.target.kind not in TEMPLATED:
            yield _by_hand(workload, templated)
        else:
            yield _patch(workload, templated)


def _patch(workload: MeasuredWorkload, changed: Sequence[Advice]) -> str:
    places: dict[str, list[Json]] = {}
    for advice in changed:
        place = "initContainers" if advice.container.is_init else "containers"
        places.setdefault(place, []).append({"name": advice.container.name, "resources": _resources(advice.proposed)})
    document = {
        "apiVersion": workload.target.api_version,
        "kind": workload.target.kind,
        "metadata": {"name": workload.target.name, "namespace": workload.namespace},
        "spec": {"template": {"spec": places}},
    }
    command = f"kubectl patch {workload.title} -n {workload.namespace} --patch-file FILE"
    head = f"# To apply it, which restarts every pod: {command}\n"
    return head + _remarks(changed) + yaml.safe_dump(document, sort_keys=False)


def _by_hand(workload: MeasuredWorkload, changed: Sequence[Advice]) -> str:
    head = f"# A {workload.target.kind} takes no strategic merge patch; write these resources into its manifest.\n"
    blocks = [{"name": one.container.name, "resources": _resources(one.proposed)} for one in changed]
    text = yaml.safe_dump(blocks, sort_keys=False)
    return head + _remarks(changed) + "".join(f"# {line}\n" for line in text.splitlines())


def _remarks(changed: Sequence[Advice]) -> str:
    found = [f"{one.container.name}: {note}" for one in changed for note in one.notes]
    low = [one.container.name for one in changed if one.recommended and not one.recommended.is_confident]
    if low:
        found.append(f"low confidence, observe for longer before you apply it: {', '.join(low)}")
    return "".join(f"# {line}\n" for line in found)


def _resources(resources: ContainerResources) -> Json:
    return {side: amounts for side, amounts in resources.as_object().items() if amounts}


def _amounts(bounds: Bounds) -> Mapping[str, str]:
    return {kind: format_quantity(value) for kind, value in bounds.items()}


def _by_workload(advices: Sequence[Advice]) -> Iterator[tuple[MeasuredWorkload, list[Advice]]]:
    for _, group in groupby(advices, key=lambda one: (one.workload.target.kind, one.workload.target.name)):
        found = list(group)
        yield found[0].workload, found
