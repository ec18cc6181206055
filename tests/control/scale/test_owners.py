from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.appliers import is_default, later_reset
from pilotfish.sidecar.control.scale.owners import find_owner, find_replica_drivers, find_resources_owner
from pilotfish.sidecar.control.workload.managed_fields import writers_of
from tests.control.scale.targets import autoscaler, deployment, reference, scaled_object, written_by
from tests.support.examples import examples

REPLICAS = ("spec", "replicas")
OWNED: dict[str, tuple[Reason, str, str]] = {  # by client: reason, kind and name of the owner
    "argocd-client-side": (Reason.GITOPS, "Argo CD", "serving"),
    "argocd-server-side": (Reason.GITOPS, "Argo CD", "serving"),
    "flux-kustomize": (Reason.GITOPS, "Flux", "flux-system/serving"),
    "helm4": (Reason.APPLIED_ELSEWHERE, "Helm", "helm4"),
    "kubectl-server-side-apply": (Reason.APPLIED_ELSEWHERE, "server-side apply", ""),
}
FREE = (
    "argocd-without-replicas",
    "helm3",
    "helm4-after-pilotfish",
    "kubectl-client-side-apply",
    "kubectl-client-side-apply-without-replicas",
    "kubectl-patch",
    "kubectl-scale",
)


@pytest.mark.parametrize("client", OWNED)
def test_who_applies_the_replicas_owns_them_until_told_otherwise(client: str) -> None:
    owner = find_owner(written_by(client))
    assert owner is not None
    assert (owner.reason, owner.kind, owner.name) == OWNED[client]
    assert owner.yields
    assert "set spec.scaling.takeOwnership: true" in owner.message


@pytest.mark.parametrize("client", FREE)
def test_who_wrote_the_replicas_once_does_not_own_them(client: str) -> None:
    assert find_owner(written_by(client)) is None


def test_the_remedy_for_helm_names_the_conflict_of_its_next_upgrade() -> None:
    owner = find_owner(written_by("helm4"))
    assert owner is not None
    assert "your next `helm upgrade` would conflict on .spec.replicas" in owner.remedy
    assert "removed before, it falls to 1" in owner.remedy
    assert owner.manager == "helm"


@pytest.mark.parametrize(
    ("client", "warning"),
    [
        ("helm3", "the next `helm upgrade` resets .spec.replicas if the chart sets it"),
        ("helm4-after-pilotfish", "the next `helm upgrade` conflicts on .spec.replicas if the chart sets it"),
        ("kubectl-client-side-apply", "the next `kubectl apply` resets .spec.replicas"),
        ("kubectl-client-side-apply-without-replicas", ""),
        ("argocd-client-side", ""),
    ],
)
def test_who_resets_the_replicas_later_is_a_warning(client: str, warning: str) -> None:
    found = later_reset(written_by(client))
    assert found.startswith(warning)
    assert bool(found) == bool(warning)


@pytest.mark.parametrize(
    ("client", "default"),
    [
        ("helm4-after-removal", True),
        ("kubectl-client-side-apply-after-removal", True),
        ("kubectl-client-side-apply-without-replicas", True),
        ("argocd-without-replicas", True),
        ("kubectl-client-side-apply", False),
        ("kubectl-scale", False),
        ("helm3", False),
        ("helm4", False),
    ],
)
def test_a_number_that_nobody_set_is_the_default(client: str, default: bool) -> None:
    assert is_default(written_by(client)) == default


def test_an_object_without_records_has_no_known_default() -> None:
    assert not is_default(deployment())


@pytest.mark.parametrize(
    ("client", "manager", "operation", "subresource", "timed"),
    [
        ("helm3", "helm", "Update", "", True),
        ("helm4", "helm", "Apply", "", True),
        ("helm4-after-pilotfish", "pilotfish", "Update", "scale", False),
        ("kubectl-client-side-apply", "kubectl-client-side-apply", "Update", "", True),
        ("kubectl-patch", "kubectl-patch", "Update", "", True),
        ("kubectl-scale", "kubectl", "Update", "scale", False),
        ("kubectl-server-side-apply", "kubectl", "Apply", "", True),
    ],
)
def test_the_writer_of_the_replicas_is_the_one_whose_entry_has_them(
    client: str, manager: str, operation: str, subresource: str, timed: bool
) -> None:
    (writer,) = writers_of(written_by(client), REPLICAS)
    assert (writer.manager, writer.operation, writer.subresource) == (manager, operation, subresource)
    assert (writer.at is not None) == timed
    assert writer.own == (manager == "pilotfish")


@pytest.mark.parametrize("api_version", ["apps/v1", "apps/v1beta1", ""])
def test_an_autoscaler_on_the_target_never_yields(api_version: str) -> None:
    target = reference(api_version=api_version)
    owner = find_owner(deployment(), autoscalers=[autoscaler(target)])
    assert owner is not None
    assert (owner.reason, owner.name, owner.yields) == (Reason.AUTOSCALER, "delays-hpa", False)
    assert "spec.scaling.surface: metric" in owner.remedy


@pytest.mark.parametrize(
    "target",
    [
        reference(name="other"),
        reference("StatefulSet"),
        reference(api_version="example.org/v1"),
    ],
    ids=["name", "kind", "group"],
)
def test_an_autoscaler_on_another_object_is_no_owner(target: dict[str, Any]) -> None:
    found = [autoscaler(target)], [scaled_object(target)]
    assert find_owner(deployment(), autoscalers=found[0], scaled_objects=found[1]) is None


def test_a_scaled_object_is_named_instead_of_the_autoscaler_that_keda_creates() -> None:
    created = autoscaler(reference(), "keda-hpa-delays-so", **{"scaledobject.keda.sh/name": "delays-so"})
    both = find_owner(deployment(), autoscalers=[created], scaled_objects=[scaled_object({"name": "delays"})])
    without_the_right = find_owner(deployment(), autoscalers=[created])
    assert both == without_the_right
    assert both is not None
    assert (both.reason, both.name, both.yields) == (Reason.SCALED_OBJECT, "delays-so", False)


@pytest.mark.parametrize(
    ("controller", "yields"),
    [
        (reference("Deployment", "delays"), False),
        (reference("Rollout", "delays", "argoproj.io/v1alpha1"), False),
        (reference("LeaderWorkerSet", "llm", "leaderworkerset.x-k8s.io/v1"), False),
        (reference("InferenceService", "fares", "serving.kserve.io/v1beta1"), True),
        (reference("SeldonDeployment", "fares", "machinelearning.seldon.io/v1"), True),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_controller_above_the_target_is_named(controller: dict[str, Any], yields: bool) -> None:
    owner = find_owner(deployment(ownerReferences=[{**controller, "uid": "u2", "controller": True}]))
    assert owner is not None
    assert (owner.reason, owner.kind, owner.name, owner.yields) == (
        Reason.CONTROLLED, controller["kind"], controller["name"], yields,
    )  # fmt: skip
    assert f"name {controller['kind']} '{controller['name']}' in spec.targetRef" in owner.remedy


def test_an_owner_that_does_not_control_the_target_is_none() -> None:
    assert find_owner(deployment(ownerReferences=[{**reference("Team", "ml"), "uid": "u2"}])) is None


def test_the_application_of_argo_cd_is_found_by_its_label_too() -> None:
    found = written_by("argocd-client-side")
    del found["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"]
    found["metadata"]["labels"] = {"app.kubernetes.io/instance": "fares"}
    owner = find_owner(found)
    assert owner is not None
    assert (owner.kind, owner.name) == ("Argo CD", "fares")
    by_chart = written_by("kubectl-client-side-apply")
    by_chart["metadata"]["labels"] = {"app.kubernetes.io/instance": "fares"}
    assert find_owner(by_chart) is None, "charts set this label, too"


def test_the_strongest_owner_is_named_first() -> None:
    found = written_by("helm4")
    owner = find_owner(found, autoscalers=[autoscaler(reference(name="helm4"))])
    assert owner is not None
    assert owner.reason is Reason.AUTOSCALER


def test_a_vertical_autoscaler_owns_the_resources_unless_it_is_off() -> None:
    spec: dict[str, Any] = {"targetRef": reference()}
    found = {"metadata": {"name": "vpa"}, "spec": spec}
    owner = find_resources_owner(deployment(), vertical_autoscalers=[found])
    assert owner is not None
    assert owner.name == "vpa"
    off = {**found, "spec": {**spec, "updatePolicy": {"updateMode": "Off"}}}
    assert find_resources_owner(deployment(), vertical_autoscalers=[off]) is None


def test_the_fields_of_kserve_are_those_that_are_applied() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:predictor": {"f:minReplicas": {}}}}
    entry = {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": fields}
    found = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "fares", "managedFields": [entry]},
        "spec": {"predictor": {"minReplicas": 2}},
    }
    owner = find_owner(found)
    assert owner is not None
    assert ".spec.predictor.minReplicas" in owner.text


@pytest.mark.parametrize(
    ("kind", "deployment_name"), [("InferenceService", "fares-predictor"), ("LLMInferenceService", "fares-kserve")]
)
def test_an_autoscaler_on_the_deployment_of_kserve_is_an_owner_unless_kserve_made_it(
    kind: str, deployment_name: str
) -> None:
    target = {"apiVersion": "serving.kserve.io/v1beta1", "kind": kind, "metadata": {"name": "fares"}}
    found = autoscaler(reference(name=deployment_name))
    owner = find_owner(target, autoscalers=[found])
    assert owner is not None
    assert owner.reason is Reason.AUTOSCALER
    found["metadata"]["ownerReferences"] = [{**reference(kind, "fares"), "controller": True}]
    assert find_owner(target, autoscalers=[found]) is None
    keda = scaled_object({"name": deployment_name})
    assert find_owner(target, scaled_objects=[keda]) is not None
    vertical = {"metadata": {"name": "vpa"}, "spec": {"targetRef": reference(name=deployment_name)}}
    assert find_resources_owner(target, vertical_autoscalers=[vertical]) is not None


LWS = "leaderworkerset.x-k8s.io/v1"


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("llm", "llm-kserve-mn"),
        ("m" * 60, f"{'m' * 21}{hashlib.md5(b'm' * 60, usedforsecurity=False).hexdigest()}-kserve-mn"),
    ],
)
def test_an_autoscaler_on_the_leader_worker_set_of_kserve_is_an_owner(name: str, made: str) -> None:
    target = {"apiVersion": "serving.kserve.io/v1alpha1", "kind": "LLMInferenceService", "metadata": {"name": name}}
    assert len(made) <= 63
    found = autoscaler(reference("LeaderWorkerSet", made, LWS))
    owner = find_owner(target, autoscalers=[found])
    assert owner is not None
    assert (owner.reason, owner.name) == (Reason.AUTOSCALER, "delays-hpa")
    assert find_replica_drivers(target, autoscalers=[found])[0].resource == "cpu"
    keda = scaled_object(reference("LeaderWorkerSet", made, LWS))
    assert find_owner(target, scaled_objects=[keda]) is not None
    for other in (reference("LeaderWorkerSet", f"{made}-prefill", LWS), reference("Deployment", made)):
        assert find_owner(target, autoscalers=[autoscaler(other)]) is None, "the pods for prefill have own replicas"
    service = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": name}}
    assert find_owner(service, autoscalers=[found]) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("annotations", "labels", "managedFields", "ownerReferences", "name")
APPLIED = {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "[" * 100_000}}


@settings(max_examples=examples(200))
@given(st.dictionaries(st.sampled_from(KEYS), JSON) | st.just(APPLIED), JSON)
def test_no_object_breaks_the_search_for_owners(metadata: Any, other: Any) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": other}
    found = {"metadata": metadata, "spec": other}
    find_owner(target, autoscalers=[found], scaled_objects=[found])
    find_resources_owner(target, vertical_autoscalers=[found])
    later_reset(target)
