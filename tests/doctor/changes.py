"""Changes of a snapshot, for the tables of faults."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from pilotfish.sidecar.doctor.findings import Level
from pilotfish.sidecar.doctor.snapshot import ClusterSnapshot
from tests.doctor.healthy import Object, named

Change = Callable[[ClusterSnapshot], ClusterSnapshot]


def objects(kind: str, *items: Object) -> Change:
    """Replace the objects of a kind."""
    return lambda snapshot: replace(snapshot, objects={**snapshot.objects, kind: items})


def changed(kind: str, change: Callable[[Object], object]) -> Change:
    """Change a copy of each object of a kind."""

    def apply(snapshot: ClusterSnapshot) -> ClusterSnapshot:
        items: list[Any] = copy.deepcopy([*snapshot.of(kind)])
        for item in items:
            change(item)
        return objects(kind, *items)(snapshot)

    return apply


def both(*changes: Change) -> Change:
    def apply(snapshot: ClusterSnapshot) -> ClusterSnapshot:
        for change in changes:
            snapshot = change(snapshot)
        return snapshot

    return apply


def set_bundle(pem: str) -> Change:
    encoded = base64.b64encode(pem.encode()).decode()
    return changed(
        "mutatingwebhookconfigurations", lambda item: item["webhooks"][0]["clientConfig"].update(caBundle=encoded)
    )


def scaler(**spec: Any) -> Object:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "loans"}
    return named("loans", "models", spec={"scaleTargetRef": target, "targetRef": target, **spec})


def model_container(**fields: Any) -> Change:
    return changed("pods", lambda item: item["spec"]["containers"][0].update(fields))


class Fault(NamedTuple):
    """A fault, and the finding that names it: its check, level, place, a part of its sentence and of its remedy."""

    change: Change
    check: str
    level: Level
    where: str
    what: str
    remedy: str
