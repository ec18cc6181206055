"""The injector as the API server sees it: reviews in, answers out, and what it writes beside."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.inject.server import decide
from pilotfish.sidecar.inject.server.review import parse_review
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.objects import (
    CUSTOM_RESOURCE_DEFINITIONS,
    DEPLOYMENTS,
    INFERENCE_POOLS,
    MODEL_MONITORS,
    NAMESPACES,
    REPLICA_SETS,
    SERVICES,
    Resource,
)
from pilotfish.sidecar.kube.patch import merge_patch
from tests.inject.server.running import (
    OPTIONS,
    SHOP,
    SYSTEM,
    TEMPLATE,
    Injected,
    Object,
    controlled,
    injecting,
    namespace,
    patch_of,
    pod,
    review,
    service,
)
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


def mode_of(response: Object) -> str:
    mode: str = response["auditAnnotations"]["mode"]
    return mode


def annotation_of(response: Object) -> Object:
    """Return what the patch writes into the annotation."""
    values = {operation["path"]: operation.get("value") for operation in patch_of(response)}
    written = values.get("/metadata/annotations") or {}
    text = written.get("pilotfish.dev/injection") or values["/metadata/annotations/pilotfish.dev~1injection"]
    found: Object = json.loads(str(text))
    return found


async def store(injector: Injected, resource: Any, *items: Object) -> None:
    """Create objects, and wait until the injector knows them."""
    for item in items:
        await create(injector.kube, resource, item, item["metadata"].get("namespace", ""))
        place = (item["metadata"].get("namespace", ""), item["metadata"]["name"])
        await eventually(partial(injector.server.mirrors.stores[resource].get, *place))


def replica_set(name: str = "prices-abc", owner: str = "prices") -> Object:
    metadata = {"name": name, "namespace": SHOP, "ownerReferences": controlled("Deployment", owner)}
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata}


def deployment(name: str = "prices") -> Object:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": SHOP}}


def definition(resource: Resource) -> Object:
    """Return the CustomResourceDefinition of a kind."""
    versions = [{"name": resource.version, "served": True}]
    return {"metadata": {"name": f"{resource.plural}.{resource.group}"}, "spec": {"versions": versions}}


async def test_a_pod_of_a_labelled_namespace_gets_the_sidecars(injector: Injected) -> None:
    response = await injector.ask()
    assert response["allowed"] is True
    assert (response["patchType"], mode_of(response)) == ("JSONPatch", "port")
    containers = annotation_of(response)["containers"]
    assert containers == ["pilotfish-proxy", "pilotfish-analyzer"]


async def test_an_injected_pod_is_left_alone_when_it_comes_again(injector: Injected) -> None:
    injected = pod(labels={"app": "prices", "pilotfish.dev/injected": "true"})
    injected["spec"]["initContainers"] = [{"name": "pilotfish-proxy"}]
    response = await injector.ask(injected)
    assert patch_of(response) == []
    assert response["auditAnnotations"] == {"mode": "none", "reason": "already_injected"}


async def test_a_namespace_that_is_not_opted_in_is_left_alone(injector: Injected) -> None:
    await store(injector, NAMESPACES, namespace("quiet", ""))
    response = await injector.ask(namespace="quiet")
    assert (response["allowed"], patch_of(response)) == (True, [])
    assert injector.events() == []


async def test_a_namespace_that_is_newer_than_the_mirror_is_read(injector: Injected) -> None:
    del injector.server.mirrors.stores[NAMESPACES].objects["", SHOP]
    assert mode_of(await injector.ask()) == "port"


async def test_a_monitor_opts_in_the_pods_of_its_deployment(injector: Injected) -> None:
    await create(injector.kube, CUSTOM_RESOURCE_DEFINITIONS, definition(MODEL_MONITORS))
    await eventually(lambda: MODEL_MONITORS in injector.server.mirrors.stores)
    await store(injector, NAMESPACES, namespace("quiet", ""))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "prices"}
    monitor = {"metadata": {"name": "prices", "namespace": "quiet"}, "spec": {"targetRef": target}}
    other = replica_set()
    other["metadata"]["namespace"] = "quiet"
    svc = service()
    svc["metadata"]["namespace"] = "quiet"
    await store(injector, MODEL_MONITORS, monitor)
    await store(injector, REPLICA_SETS, other)
    await store(injector, SERVICES, svc)
    response = await injector.ask(pod(ownerReferences=controlled("ReplicaSet", "prices-abc")), namespace="quiet")
    assert mode_of(response) == "port"
    await delete(injector.kube, CUSTOM_RESOURCE_DEFINITIONS, "modelmonitors.pilotfish.dev")
    await eventually(lambda: MODEL_MONITORS not in injector.server.mirrors.stores)
    response = await injector.ask(pod(ownerReferences=controlled("ReplicaSet", "prices-abc")), namespace="quiet")
    assert mode_of(response) == "none"


async def test_a_new_pod_gets_the_resources_that_its_monitor_recommends(injector: Injected) -> None:
    await create(injector.kube, CUSTOM_RESOURCE_DEFINITIONS, definition(MODEL_MONITORS))
    await eventually(lambda: MODEL_MONITORS in injector.server.mirrors.stores)
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "prices"}
    monitor = {
        "metadata": {"name": "prices", "namespace": SHOP},
        "spec": {"targetRef": target, "resources": {"container": "model", "cpu": {"max": 2}, "mode": "act"}},
    }
    status = {"observedGeneration": 1, "resources": [{"container": "model", "target": {"cpu": "750m"}}]}
    await store(injector, REPLICA_SETS, replica_set())
    await store(injector, MODEL_MONITORS, monitor)
    await merge_patch(injector.kube, MODEL_MONITORS, "prices", {"status": status}, SHOP, subresource="status")
    await eventually(
        lambda: any(one.sizing and one.sizing.target for one in injector.server.mirrors.monitors.all(SHOP))
    )
    item = pod(ownerReferences=controlled("ReplicaSet", "prices-abc"))
    item["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    response = await injector.ask(item)
    written = {operation["path"]: operation.get("value") for operation in patch_of(response)}
    assert written["/spec/containers/0/resources/requests/cpu"] == "750m"
    note = json.loads(str(written["/metadata/annotations/pilotfish.dev~1resources"]))
    assert note["to"]["requests"] == {"cpu": "750m"}
    assert "pilotfish-proxy" in str(written)
    assert injector.server.tallies.sized == {("sized", "Recommended"): 1}
    elsewhere = replace(injector.server.decider, resize_namespaces=frozenset({"other"}))
    assert (await elsewhere.decide(parse_review(json.dumps(review(item)).encode()))).sized is None
    item["metadata"]["labels"]["pilotfish.dev/inject"] = "false"  # without sidecars, nobody would resize it later
    assert patch_of(await injector.ask(item)) == []


async def test_a_pool_counts_from_the_moment_its_definition_appears(injector: Injected) -> None:
    assert mode_of(await injector.ask()) == "port"
    await create(injector.kube, CUSTOM_RESOURCE_DEFINITIONS, definition(INFERENCE_POOLS))
    await eventually(lambda: INFERENCE_POOLS in injector.server.mirrors.stores)
    spec = {"selector": {"matchLabels": {"app": "prices"}}, "targetPorts": [{"number": 8080}]}
    await store(injector, INFERENCE_POOLS, {"metadata": {"name": "prices", "namespace": SHOP}, "spec": spec})
    assert mode_of(await injector.ask()) != "port"  # a pool selects by number


async def test_events_are_about_the_deployment_and_repeat_as_one(injector: Injected) -> None:
    await store(injector, DEPLOYMENTS, deployment())
    await store(injector, REPLICA_SETS, replica_set())
    for index in range(3):
        await injector.ask(pod(name=f"prices-{index}", ownerReferences=controlled("ReplicaSet", "prices-abc")))
    event = await injector.event()
    assert event["regarding"]["kind"] == "Deployment"
    assert (event["reason"], event["type"], event["action"]) == ("NamedPorts", "Normal", "Inject")
    assert event["reportingController"] == "pilotfish.dev/injector"


async def test_a_replica_set_that_is_newer_than_its_mirror_is_read(injector: Injected) -> None:
    await create(injector.kube, REPLICA_SETS, replica_set(), SHOP)
    injector.server.mirrors.stores[REPLICA_SETS].objects.clear()
    owners = await injector.server.mirrors.owners(pod(ownerReferences=controlled("ReplicaSet", "prices-abc")), SHOP)
    assert [owner.kind for owner in owners] == ["ReplicaSet", "Deployment"]


async def test_a_pod_that_cannot_be_injected_is_admitted_with_a_warning_and_an_event(injector: Injected) -> None:
    lonely = pod(name="lonely")
    lonely["spec"]["hostNetwork"] = True
    response = await injector.ask(lonely)
    assert response["allowed"] is True
    assert annotation_of(response)["mode"] == "none"
    assert "hostNetwork" in response["warnings"][0]
    event = await injector.event()
    assert (event["regarding"]["kind"], event["reason"], event["type"]) == ("Pod", "HostNetwork", "Warning")


async def test_a_dry_run_has_no_effect_beside_its_answer(injector: Injected) -> None:
    response = await injector.ask(pod(name="one"), dryRun=True)
    assert mode_of(response) == "port"
    await injector.server.recorder.flush()
    assert injector.events() == []
    assert not injector.server.tallies.injections
    assert not injector.server.publisher.injected


def broken(*_: object) -> None:
    raise ZeroDivisionError("secret of a pod")


async def test_a_failure_inside_admits_the_pod_and_says_so(
    injector: Injected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(decide, "inject", broken)
    response = await injector.ask(pod(name="one", ownerReferences=controlled("StatefulSet", "prices")))
    assert (response["allowed"], patch_of(response)) == (True, [])
    assert "ZeroDivisionError" in response["warnings"][0]
    assert "admitted without sidecars" in caplog.text
    assert injector.server.tallies.reviews == {"failed": 1}
    event = await injector.event()
    assert (event["regarding"]["kind"], event["reason"]) == ("StatefulSet", "InjectionFailed")
    assert "secret of a pod" not in json.dumps([response, event])


async def test_an_injector_that_fails_closed_refuses_the_pod(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with injecting(api, fail_closed=True) as injector:
        assert mode_of(await injector.ask()) == "port"
        monkeypatch.setattr(decide, "inject", broken)
        response = await injector.ask()
        assert response["allowed"] is False
        assert "ZeroDivisionError" in response["status"]["message"]
        await store(injector, NAMESPACES, namespace("quiet", ""))
        assert (await injector.ask(namespace="quiet"))["allowed"] is True  # nobody asked for sidecars there
        asking = pod(labels={"pilotfish.dev/inject": "true"})
        assert (await injector.ask(asking, namespace="quiet"))["allowed"] is False


async def test_a_body_without_a_request_is_refused_and_a_request_about_something_else_is_allowed(
    injector: Injected,
) -> None:
    status, found = await injector.post(b"[]")
    assert (status, "must be AdmissionReview" in found["error"]) == (400, True)
    response = await injector.ask(operation="DELETE", object=None)
    assert (response["allowed"], "patch" in response) == (True, False)
    assert response["auditAnnotations"] == {"ignored": "it is not a creation"}
    assert injector.server.tallies.reviews == {"invalid": 1, "answered": 1}


async def test_other_paths_and_methods_are_refused(injector: Injected) -> None:
    assert (await injector.post(review(), "/metrics"))[0] == 404
    assert (await injector.open("/inject"))[0] == 404
    too_large = b" " * (4 * 1024 * 1024 + 1)
    assert (await injector.post(too_large))[0] == 413


async def test_an_injector_is_ready_when_it_has_read_everything(api: ApiServer) -> None:
    fault = api.faults.add(Fault(when=lambda call: call.path.endswith("/services"), status=500, retry_after=0))
    async with injecting(api, ready=False) as injector:
        await eventually(lambda: injector.server.port and injector.server.metrics_port)
        await eventually(lambda: injector.server.mirrors.missing() == ("services",))
        status, text = await injector.open("/readyz")
        assert status == 503
        assert "not read yet: services" in text
        response = await injector.ask()
        assert (response["allowed"], patch_of(response)) == (True, [])
        assert "not read these objects yet: services" in response["warnings"][0]
        fault.release()
        await eventually(lambda: not injector.server.not_ready())
        assert (await injector.open("/readyz"))[0] == 200
        assert (await injector.open("/healthz"))[0] == 200


async def test_decisions_with_old_knowledge_say_so(
    injector: Injected, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pilotfish.sidecar.inject.server.mirrors.STALE", -1.0)
    response = await injector.ask()
    assert mode_of(response) == "port"
    assert "services" in response["auditAnnotations"]["stale"]
    assert "no news of" in caplog.text
    assert (await injector.open("/readyz"))[0] == 200


async def test_the_template_is_read_again_when_it_changes(api: ApiServer, tmp_path: Path) -> None:
    path = tmp_path / "sidecar.yaml"
    shutil.copy(TEMPLATE, path)
    async with injecting(api, template=path) as injector:
        release = next(line for line in TEMPLATE.read_text().splitlines() if line.startswith("release:"))
        path.write_text(TEMPLATE.read_text().replace(release, "release: 9.9.9"))
        assert "9.9.9" in json.dumps(patch_of(await injector.ask()))
        path.write_text("release: [")
        assert "9.9.9" in json.dumps(patch_of(await injector.ask()))
        assert "the previous template stays in force" in (await injector.open("/readyz"))[1]


async def test_the_metrics_count_reviews_and_show_the_certificates(injector: Injected) -> None:
    await injector.ask()
    text = (await injector.open("/metrics"))[1]
    for line in (
        'pilotfish_injections_total{mode="port",reason="named_ports"} 1.0',
        'pilotfish_admission_reviews_total{outcome="answered"} 1.0',
        "pilotfish_admission_review_seconds_count 1.0",
        'pilotfish_mirror_objects{kind="services"} 1.0',
        'pilotfish_certificate_expiry_timestamp_seconds{name="serving"}',
    ):
        assert line in text, text


async def test_a_release_namespace_is_never_injected(injector: Injected) -> None:
    await merge_patch(injector.kube, NAMESPACES, SYSTEM, {"metadata": {"labels": {"pilotfish.dev/inject": "all"}}})
    assert mode_of(await injector.ask(namespace=SYSTEM)) == "none"
    assert OPTIONS.namespace == SYSTEM
