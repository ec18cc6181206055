"""Each check finds its fault, says where it is and what to do, and finds nothing in a healthy cluster."""

from __future__ import annotations

import base64
import copy
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.doctor.checks import CHECKS, findings
from pilotfish.sidecar.doctor.findings import Finding, Level, is_problem
from pilotfish.sidecar.doctor.page import as_json, lines
from pilotfish.sidecar.doctor.snapshot import Snapshot, Trial
from tests.doctor import healthy as cluster
from tests.doctor.healthy import INJECTOR, NOW, RELEASE, Object, healthy, injected, named, plain_pod, service
from tests.support.examples import examples

Change = Callable[[Snapshot], Snapshot]


def found(snapshot: Snapshot, *levels: Level) -> list[Finding]:
    return [one for one in findings(snapshot) if one.level in (levels or tuple(Level))]


def objects(kind: str, *items: Object) -> Change:
    """Replace the objects of a kind."""
    return lambda snapshot: replace(snapshot, objects={**snapshot.objects, kind: items})


def changed(kind: str, change: Callable[[Object], object]) -> Change:
    """Change a copy of each object of a kind."""

    def apply(snapshot: Snapshot) -> Snapshot:
        items: list[Any] = copy.deepcopy([*snapshot.of(kind)])
        for item in items:
            change(item)
        return objects(kind, *items)(snapshot)

    return apply


def both(*changes: Change) -> Change:
    def apply(snapshot: Snapshot) -> Snapshot:
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


QUOTA = {"status": {"hard": {"requests.memory": "1Gi"}, "used": {"requests.memory": "1000Mi"}}}
CPU = [{"type": "Resource", "resource": {"name": "cpu"}}]
RESTRICTED = changed(
    "namespaces", lambda item: item["metadata"]["labels"].update({"pod-security.kubernetes.io/enforce": "restricted"})
)
FAULTS: list[tuple[Change, str, Level, str, str, str]] = [  # change, check, level, where, what, remedy
    (lambda one: replace(one, server={"gitVersion": "v1.32.1"}), "versions", Level.ERROR, "API server", "v1.32.1 is too old", "1.33"),
    (lambda one: replace(one, server={}), "versions", Level.UNKNOWN, "API server", "unreadable", "by hand"),
    (changed("nodes", lambda item: item["status"]["nodeInfo"].update(kubeletVersion="v1.28.9")), "versions", Level.ERROR, "node/node-1", "v1.28.9", "upgrade"),
    (objects("customresourcedefinitions"), "kinds", Level.ERROR, "modelmonitors.pilotfish.dev", "not installed", "schema --crd"),
    (changed("customresourcedefinitions", lambda item: item["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].pop("drift")), "kinds", Level.WARNING, "modelmonitors.pilotfish.dev", "another version than 0.1.0: spec.drift", "schema --crd"),
    (objects("validatingadmissionpolicybindings"), "kinds", Level.WARNING, "modelmonitor-author", "policy on authors is missing", "schema --policy"),
    (objects("servers"), "servers", Level.ERROR, "deployment/pilotfish-control", "not installed", "helm install"),
    (changed("servers", lambda item: item["status"].update(availableReplicas=1)), "servers", Level.WARNING, f"deployment/{INJECTOR}", "1 of 2 replicas", "describe"),
    (changed("servers", lambda item: item["status"].clear()), "servers", Level.ERROR, f"deployment/{INJECTOR}", "0 of 2 replicas", "describe"),
    (objects("leases"), "leader", Level.ERROR, "lease/pilotfish-control", "no replica of the controller leads", "logs"),
    (lambda one: replace(one, now=NOW + timedelta(minutes=5)), "leader", Level.ERROR, "lease/pilotfish-control", "has not renewed", "logs"),
    (lambda one: replace(one, rights=dict.fromkeys(one.rights, False)), "rights", Level.ERROR, f"serviceaccount/{INJECTOR}", "it may not list services", "helm upgrade"),
    (lambda one: replace(one, rights=dict.fromkeys(one.rights, None)), "rights", Level.UNKNOWN, f"serviceaccount/{INJECTOR}", "could not be asked for", "subjectaccessreviews"),
    (objects("mutatingwebhookconfigurations"), "webhook", Level.ERROR, INJECTOR, "not registered", "helm install"),
    (set_bundle(""), "webhook", Level.ERROR, INJECTOR, "caBundle is empty", "rollout restart"),
    (set_bundle("x"), "webhook", Level.ERROR, INJECTOR, "cannot read the certificates", "rollout restart"),
    (set_bundle(cluster.authority("other")), "webhook", Level.ERROR, INJECTOR, "of another authority", "rollout restart"),
    (objects("endpointslices"), "webhook", Level.ERROR, f"service/{INJECTOR}", "no ready endpoint", "get pods"),
    (lambda one: replace(one, trial=Trial("models", {"metadata": {}})), "webhook", Level.ERROR, INJECTOR, "did not answer", "8443"),
    (lambda one: replace(one, trial=Trial("models", problem="exceeded quota")), "webhook", Level.WARNING, INJECTOR, "exceeded quota", "another namespace"),
    (lambda one: replace(one, trial=None), "webhook", Level.UNKNOWN, INJECTOR, "is unknown", "may create pods"),
    (lambda one: replace(one, now=NOW + timedelta(days=360)), "certificates", Level.WARNING, RELEASE, "was not replaced", "logs"),
    (lambda one: replace(one, now=NOW + timedelta(days=400)), "certificates", Level.ERROR, RELEASE, "ended on", "logs"),
    (both(set_bundle(cluster.authority("other")), changed("authorities", lambda item: item["data"].update({"ca.crt": cluster.authority("other" if item["metadata"]["namespace"] == RELEASE else "own")}))), "certificates", Level.ERROR, "models/configmap/pilotfish-ca", "another authority", "delete configmap"),
    (changed("namespaces", lambda item: item["metadata"]["labels"].update({"pilotfish.dev/inject": "yes"})), "injected", Level.WARNING, "namespace/models", "has no meaning", "=all"),
    (objects("pods", plain_pod()), "injected", Level.WARNING, "models/deployment/loans", "without an answer of the injector", "rollout restart deployment/loans"),
    (objects("pods", named("loans-1", "models", {"pilotfish.dev/injected": "true", "pilotfish.dev/inject": "true"}, spec={"containers": [{"name": "model"}]})), "injected", Level.ERROR, "models/pod/loans-1", "not all sidecars", "remove the label"),
    (changed("pods", lambda item: item["metadata"]["labels"].update({"pilotfish.dev/release": "0.0.9"})), "current", Level.WARNING, "models/deployment/loans", "of release 0.0.9; 0.1.0 is installed", "rollout restart"),
    (objects("services", service(8000)), "services", Level.WARNING, "models/deployment/loans", "Service loans, port 80 targets 8000", "name of the port"),
    (objects("inferencepools", named("pool", "models", spec={"selector": {"matchLabels": {"app": "loans"}}, "targetPorts": [{"number": 8000}]})), "services", Level.WARNING, "models/deployment/loans", "InferencePool pool targets 8000", "name of the port"),
    (changed("modelmonitors", lambda item: item["status"].clear()), "monitors", Level.WARNING, "models/modelmonitor/loans", "no status", "watchNamespace"),
    (changed("modelmonitors", lambda item: item["status"].update(conditions=[{"type": "Ready", "status": "False", "reason": "TargetNotFound", "message": "no \x1b[31mDeployment"}])), "monitors", Level.WARNING, "models/modelmonitor/loans", "Ready is False (TargetNotFound): no ·[31mDeployment", "reasons.md"),
    (objects("modelmonitors", *([named(name, "models", spec={"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "loans"}}) for name in ("a", "b")])), "monitors", Level.WARNING, "models/deployment/loans", "2 monitors have it as their target: a, b", "all but one"),
    (objects("horizontalpodautoscalers", scaler(metrics=CPU)), "owners", Level.HINT, "models/horizontalpodautoscaler/loans", "whole pod", "ContainerResource"),
    (both(objects("horizontalpodautoscalers", scaler(metrics=CPU)), changed("pods", lambda item: item["spec"]["initContainers"][0].pop("resources"))), "owners", Level.ERROR, "models/horizontalpodautoscaler/loans", "pilotfish-proxy requests none", "sidecar.proxy.resources"),
    (objects("verticalpodautoscalers", scaler()), "owners", Level.HINT, "models/verticalpodautoscaler/loans", "resizes the sidecars", "mode Off"),
    (changed("servers", lambda item: item["metadata"].update(annotations={"argocd.argoproj.io/tracking-id": "x"})), "owners", Level.HINT, "pilotfish-control", "Argo CD", "caBundle"),
    (changed("servers", lambda item: item["metadata"]["labels"].update({"helm.toolkit.fluxcd.io/name": "x"})), "owners", Level.HINT, "pilotfish-control", "Flux", "drift detection"),
    (both(RESTRICTED, changed("pods", lambda item: item["metadata"]["annotations"].update({"pilotfish.dev/interception": "redirect"}))), "admission", Level.WARNING, "models/deployment/loans", "level restricted", "privileged"),
    (both(RESTRICTED, changed("modelmonitors", lambda item: item["spec"].update(traffic={"interception": "redirect"}))), "admission", Level.WARNING, "models/modelmonitor/loans", "NET_ADMIN", "privileged"),
    (objects("resourcequotas", named("quota", "models", **QUOTA)), "admission", Level.WARNING, "models/resourcequota/quota", "requests.memory: 1000Mi of 1Gi are used", "raise the quota"),
    (model_container(args=["--forwarded-allow-ips=10.0.0.1"]), "peers", Level.HINT, "models/deployment/loans", "--forwarded-allow-ips", "127.0.0.1"),
    (model_container(env=[{"name": "FORWARDED_ALLOW_IPS", "value": "hidden-value"}]), "peers", Level.HINT, "models/deployment/loans", "FORWARDED_ALLOW_IPS", "X-Forwarded-For"),
    (lambda one: replace(one, unreadable={"nodes": "403"}), "access", Level.UNKNOWN, "nodes", "cannot be read: 403", "may list"),
]  # fmt: skip


def test_a_healthy_cluster_has_no_problem() -> None:
    everything = found(healthy())
    assert [one for one in everything if one.level is not Level.OK] == []
    assert {one.check for one in everything} >= {"certificates", "injected", "rights", "services", "webhook"}


@pytest.mark.parametrize(("change", "check", "level", "where", "what", "remedy"), FAULTS, ids=lambda value: value if isinstance(value, str) else "")  # fmt: skip
def test_a_fault_is_found_with_its_place_and_remedy(
    change: Change, check: str, level: Level, where: str, what: str, remedy: str
) -> None:
    everything = found(change(healthy()))
    hits = [one for one in everything if (one.check, one.level) == (check, level) and what in one.what]
    assert hits, [str(one) for one in everything if one.level is not Level.OK]
    assert where in hits[0].where or where in {one.where for one in hits}
    assert remedy in hits[0].remedy


def test_the_faults_cover_every_check() -> None:
    assert {fault[1] for fault in FAULTS} == {*CHECKS, "access"}


def test_every_finding_that_is_not_ok_has_a_remedy() -> None:
    for change, *_ in FAULTS:
        assert all(one.remedy for one in found(change(healthy())) if one.level is not Level.OK)


@pytest.mark.parametrize("label", ["false", None])
def test_a_pod_that_does_not_ask_is_no_problem(label: str | None) -> None:
    pod = plain_pod()
    namespaces = [named("models")]
    if label:
        pod["metadata"]["labels"]["pilotfish.dev/inject"] = label
        namespaces = [named("models", labels={"pilotfish.dev/inject": "all"})]
    snapshot = healthy(pods=[pod], namespaces=namespaces, modelmonitors=[])
    assert [one for one in found(snapshot) if one.check == "injected" and is_problem(one)] == []


def test_a_monitor_asks_for_the_pods_of_its_target() -> None:
    snapshot = healthy(pods=[plain_pod()], namespaces=[named("models")])
    assert [one.where for one in found(snapshot, Level.WARNING)] == ["models/deployment/loans"]


def test_the_reason_of_the_annotation_is_shown() -> None:
    pod = injected(plain_pod() | {"spec": {"containers": [{"name": "model", "image": "x"}]}})
    (warning,) = found(healthy(pods=[pod]), Level.WARNING)
    assert "not injected (no_ports)" in warning.what


def test_finished_pods_and_pods_that_end_do_not_count() -> None:
    done, ending = plain_pod(), plain_pod("loans-2")
    done["status"]["phase"] = "Succeeded"
    ending["metadata"]["deletionTimestamp"] = "2026-11-29T08:00:00Z"
    assert found(healthy(pods=[done, ending]), Level.WARNING, Level.ERROR) == []


def test_redirect_catches_a_service_that_uses_a_number() -> None:
    pod = injected(plain_pod())
    pod["metadata"]["annotations"]["pilotfish.dev/injection"] = '{"mode": "redirect"}'
    assert found(healthy(pods=[pod], services=[service(8000)]), Level.WARNING) == []


@pytest.mark.parametrize("text", ["", "[1]", "{" * 10_000, "null", '{"mode": 3}', "x" * 100_000, '{"mode": "none"}'])
def test_an_annotation_of_anybody_is_no_failure_of_a_check(text: str) -> None:
    pod = plain_pod()
    pod["metadata"]["annotations"] = {"pilotfish.dev/injection": text}
    assert "the check failed" not in str(found(healthy(pods=[pod])))


def test_a_check_that_fails_hides_no_other() -> None:
    snapshot = healthy(nodes=[{"metadata": {}, "status": {"nodeInfo": "x"}}])
    assert [one.what for one in found(snapshot, Level.UNKNOWN)][0].startswith("the check failed: AttributeError")
    assert "webhook" in {one.check for one in found(snapshot)}


def test_values_of_variables_and_arguments_are_never_shown() -> None:
    secret = "s3cr3t-value"
    variables = [{"name": "TRUSTED_PROXIES", "value": secret}, {"name": "TOKEN", "value": secret}]
    snapshot = model_container(args=[f"--proxy-headers={secret}", secret], env=variables)(healthy())
    everything = found(snapshot)
    text = as_json(everything, snapshot, "host") + "\n".join(lines(everything, snapshot, "host"))
    assert "TRUSTED_PROXIES" in text
    assert secret not in text


WEIRD = st.sampled_from([None, 1, "x", [], {}, [1], {"a": 1}, True])


@given(st.sampled_from(sorted(cluster.objects())), st.data())
@settings(max_examples=examples(300))
def test_objects_of_any_shape_end_in_findings(kind: str, data: st.DataObject) -> None:
    item = copy.deepcopy(data.draw(st.sampled_from(cluster.objects()[kind] or [{}])))
    parent: Any = item
    for _ in range(6):
        keys = sorted(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(parent[key], dict | list) and data.draw(st.booleans()):
            parent = parent[key]
            continue
        parent[key] = copy.deepcopy(data.draw(WEIRD))
        break
    snapshot = healthy(**{kind: [item]})
    assert "\n".join(lines(found(snapshot), snapshot, "host"))
