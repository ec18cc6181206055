"""Who owns the resources in the template of a target."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.template_owner import template_owner
from tests.control.resize.sized import SMALL, pod_spec

Json = dict[str, Any]


def target(*entries: Json, **metadata: Any) -> Json:
    """Return a Deployment with these managed fields."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "delays", "namespace": "flights", "managedFields": list(entries), **metadata},
        "spec": {"template": {"spec": pod_spec()}},
    }


def entry(manager: str, operation: str = "Apply", container: str = "model", field: str = "f:requests") -> Json:
    """Return the entry of a manager that wrote an amount of a container."""
    resources: Json = {"f:resources": {field: {"f:cpu": {}}} if field else {}}
    containers = {f'k:{{"name":"{container}"}}': {".": {}, "f:image": {}, **resources}}
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": containers}}}}
    return {"manager": manager, "operation": operation, "apiVersion": "apps/v1", "fieldsV1": fields}


@pytest.mark.parametrize("field", ["f:requests", "f:limits"])
@pytest.mark.parametrize(
    ("manager", "kind"),
    [
        ("argocd-controller", "Argo CD"),
        ("helm", "Helm"),
        ("kubectl", "server-side apply"),
        ("kustomize-controller", "Flux"),
    ],
)
def test_whoever_applies_the_amounts_owns_them(manager: str, kind: str, field: str) -> None:
    found = template_owner(target(entry(manager, field=field)), "model")
    assert found is not None
    assert (found.kind, found.manager, found.reason) == (kind, manager, Reason.TEMPLATE_OWNED)
    assert "the resources of container 'model' in the template of Deployment 'delays'" in found.text


@pytest.mark.parametrize(
    "one",
    [
        entry("helm", "Update"),
        entry("argocd-controller", container="log"),
        entry("argocd-controller", field=""),
        entry("pilotfish"),
    ],
)
def test_a_write_or_a_manifest_without_the_amounts_owns_nothing(one: Json) -> None:
    assert template_owner(target(one), "model") is None


@pytest.mark.parametrize(("applied", "owned"), [(pod_spec(SMALL), True), (pod_spec({}), False)])
def test_a_client_side_manifest_of_argo_owns_the_amounts_in_it(applied: Json, owned: bool) -> None:
    annotations = {
        "argocd.argoproj.io/tracking-id": "delays:apps/Deployment:flights/delays",
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps({"spec": {"template": {"spec": applied}}}),
    }
    found = template_owner(target(annotations=annotations), "model")
    assert (found is not None) == owned
    assert found is None or "the application 'delays' of Argo CD" in found.message


def test_a_controller_above_the_target_owns_the_template() -> None:
    references = [{"kind": "Machine", "name": "m"}, {"kind": "InferenceService", "name": "fares", "controller": True}]
    found = template_owner(target(ownerReferences=references), "model")
    assert found is not None
    assert (found.kind, found.name) == ("InferenceService", "fares")
