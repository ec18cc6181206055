"""The executor that resizes containers, against the API server of this process and a real one."""

from __future__ import annotations

import json
import time
from copy import deepcopy
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.control.executor import Done, Dropped, Failed, Outcome, RetryAt
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.resize.executor import ResizeExecutor
from pilotfish.sidecar.control.resize.template_owner import REMEDY
from pilotfish.sidecar.control.workload.kinds import Named
from pilotfish.sidecar.control.workload.managed_fields import writers_of
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.objects import PODS
from pilotfish.sidecar.kube.patch import merge_patch
from tests.control.resize.sized import CRASHED, LARGE, SMALL, Json, Sized, resources
from tests.control.scale.places import Interfering, chart_rules, without
from tests.control.situations import NOON
from tests.helm.render import RENDERED
from tests.support.apiserver.faults import Fault, writes
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import patient

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


def changed(side: str, kind: str, amount: str | None) -> Json:
    """Return SMALL with another amount, or without it."""
    found = deepcopy(SMALL)
    found[side] |= {kind: amount}
    return {name: {key: value for key, value in block.items() if value} for name, block in found.items()}


@pytest.mark.parametrize("container", ["model", "sidecar"])
async def test_a_running_container_is_resized_and_no_other(sized: Sized, container: str) -> None:
    pod = await sized.pod()
    wanted = sized.intent(pod, container=container)
    assert await sized.executor().apply(wanted, NOON) == Done(Reason.OUTSIDE_BOUNDS)
    found = await sized.read()
    others = {"model", "sidecar"} - {container}
    assert resources(found["spec"], container) == LARGE
    assert [resources(found["spec"], other) for other in others] == [SMALL]
    assert resources(found["spec"], "log") == {}
    assert await sized.executor().apply(wanted, NOON) == Done(Reason.OUTSIDE_BOUNDS), "a lost attempt is repeated"
    assert (await sized.read())["metadata"]["resourceVersion"] == found["metadata"]["resourceVersion"]


async def test_the_template_is_resized_on_request_and_no_pod(sized: Sized) -> None:
    pod = await sized.pod()
    await sized.deployment()
    assert await sized.executor().apply(sized.intent(None), NOON) == Done(Reason.OUTSIDE_BOUNDS)
    assert resources(await sized.template()) == LARGE
    assert resources((await sized.read())["spec"]) == resources(pod["spec"]) == SMALL


async def test_amounts_that_somebody_else_changed_are_left_alone(sized: Sized) -> None:
    pod = await sized.pod()
    outcome = await sized.executor().apply(sized.intent(pod, changed("requests", "cpu", "150m")), NOON)
    assert isinstance(outcome, Dropped)
    assert outcome.reason == Reason.CONFLICT
    assert "was changed after the decision" in outcome.detail
    assert resources((await sized.read())["spec"]) == SMALL


async def test_a_pod_that_changes_between_read_and_write_is_left_alone(sized: Sized) -> None:
    pod = await sized.pod()

    async def label() -> None:
        await merge_patch(sized.kube, PODS, "delays-1", {"metadata": {"labels": {"a": "b"}}}, sized.namespace)

    outcome = await sized.executor(Interfering(sized.kube, label).as_kube()).apply(sized.intent(pod), NOON)
    assert isinstance(outcome, Dropped)
    assert outcome.reason == Reason.CONFLICT
    assert resources((await sized.read())["spec"]) == SMALL


async def test_another_pod_with_the_same_name_is_left_alone(sized: Sized) -> None:
    before = await sized.pod()
    await sized.delete()
    gone = await sized.executor().apply(sized.intent(before), NOON)
    await sized.pod()
    replaced = await sized.executor().apply(sized.intent(before), NOON)
    assert isinstance(gone, Dropped)
    assert isinstance(replaced, Dropped)
    assert resources((await sized.read())["spec"]) == SMALL


async def test_a_container_that_restarts_is_resized_when_it_runs(sized: Sized) -> None:
    pod = await sized.pod(state=CRASHED)
    outcome = await sized.executor().apply(sized.intent(pod), NOON)
    assert isinstance(outcome, RetryAt)
    assert (outcome.reason, outcome.at) == (Reason.CONTAINER_NOT_RUNNING, NOON + 2)
    assert resources((await sized.read())["spec"]) == SMALL


@pytest.mark.parametrize("template", [False, True])
@pytest.mark.parametrize(("side", "kind"), [("requests", "cpu"), ("limits", "cpu"), ("limits", "memory")])
async def test_no_amount_is_added_or_removed(sized: Sized, side: str, kind: str, template: bool) -> None:
    pod = None if template else await sized.pod()
    if template:
        await sized.deployment()
    outcome = await sized.executor().apply(sized.intent(pod, after=changed(side, kind, None)), NOON)
    assert isinstance(outcome, Failed)
    assert outcome.reason == Reason.INVALID_OBJECT
    assert "would add or remove an amount" in outcome.detail


async def test_a_container_that_is_missing_is_named(sized: Sized) -> None:
    pod = await sized.pod()
    outcome = await sized.executor().apply(sized.intent(pod, container="modle"), NOON)
    assert isinstance(outcome, Failed)
    assert outcome.reason == Reason.CONTAINER_NOT_FOUND
    assert "'modle'" in outcome.detail


@pytest.mark.parametrize(
    ("manager", "owner"),
    [
        ("argocd-controller", "the application of Argo CD applies"),
        ("helm", "the field manager 'helm' applies"),
        ("kustomize-controller", "of Flux applies"),
    ],
)
async def test_a_template_that_another_client_applies_is_left_alone(sized: Sized, manager: str, owner: str) -> None:
    if sized.plane is None:
        pytest.skip("the API server of this process records the managers of replicas only")
    await sized.deployment(manager)
    outcome = await sized.executor().apply(sized.intent(None), NOON)
    assert isinstance(outcome, Failed)
    assert outcome.reason == Reason.TEMPLATE_OWNED
    assert owner in outcome.detail
    assert outcome.detail.endswith(REMEDY)
    assert resources(await sized.template()) == SMALL


async def test_a_template_that_a_controller_owns_is_left_alone(sized: Sized) -> None:
    reference = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "name": "fares", "uid": "u"}
    await sized.deployment(ownerReferences=[{**reference, "controller": True}])
    outcome = await sized.executor().apply(sized.intent(None), NOON)
    assert isinstance(outcome, Failed)
    assert "InferenceService 'fares' controls Deployment 'delays'" in outcome.detail


@pytest.mark.parametrize(
    ("status", "reason", "wait"),
    [
        (403, Reason.NOT_AUTHORIZED, 60),
        (422, Reason.INVALID_OBJECT, 60),
        (429, Reason.THROTTLED, 5),
        (500, Reason.API_SERVER_UNREACHABLE, 0),
    ],
)
async def test_each_error_of_a_resize_has_its_reason(status: int, reason: Reason, wait: float) -> None:
    async with ApiServer() as api:
        place = Sized(await api.connect(), "default", api=api)
        pod = await place.pod()
        api.faults.add(Fault(writes, status=status, retry_after=5 if status == 429 else None))
        outcome = await place.executor().apply(place.intent(pod), NOON)
        await place.kube.close()
    assert isinstance(outcome, RetryAt)
    assert (outcome.reason, outcome.at) == (reason, NOON + wait)
    assert "Pod 'delays-1', container 'model': PATCH " in outcome.detail


@pytest.mark.parametrize(
    ("status", "message", "reason"),
    [
        (403, 'admission webhook "sizes.example.com" denied the request: ask the team', Reason.ADMISSION_DENIED),
        (400, 'admission webhook "sizes.example.com" denied the request: ask the team', Reason.ADMISSION_DENIED),
        (
            422,
            "pods \"a\" is invalid: : ValidatingAdmissionPolicy 'sizes' with binding 'sizes' denied request: too large",
            Reason.ADMISSION_DENIED,
        ),
        (
            403,
            'pods "a" is forbidden: pod update requires features X which are not available on node "n"',
            Reason.NOT_RESIZABLE,
        ),
    ],
)
async def test_whoever_refuses_a_resize_at_admission_is_named(status: int, message: str, reason: Reason) -> None:
    async with ApiServer() as api:
        place = Sized(await api.connect(), "default", api=api)
        pod = await place.pod()
        api.faults.add(Fault(writes, status=status, message=message))
        outcome = await place.executor().apply(place.intent(pod), NOON)
        await place.kube.close()
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == reason
    assert message in outcome.detail


@pytest.mark.parametrize(
    "message", ["not yet ready to handle request", "status unknown for quota: small, resources: requests.cpu"]
)
async def test_a_server_that_has_just_started_is_asked_again(message: str) -> None:
    async with ApiServer() as api:
        place = Sized(await api.connect(), "default", api=api)
        pod = await place.pod()
        api.faults.add(Fault(writes, status=403, message=f'pods "delays-1" is forbidden: {message}'))
        outcome = await place.executor().apply(place.intent(pod), NOON)
        await place.kube.close()
    assert isinstance(outcome, RetryAt)
    assert (outcome.reason, outcome.at) == (Reason.API_SERVER_UNREACHABLE, NOON)


async def refusal(sized: Sized, executor: ResizeExecutor) -> Outcome:
    """Resize the pod up and down by `executor` until that is refused: the API server compiles a policy later."""
    deadline = time.monotonic() + patient(30)
    while time.monotonic() < deadline:
        pod = await sized.read()
        before, after = (SMALL, LARGE) if resources(pod["spec"]) == SMALL else (LARGE, SMALL)
        outcome = await executor.apply(sized.intent(pod, before, after), NOON)
        if not isinstance(outcome, Done):
            return outcome
    raise AssertionError("the policy refused no resize")


@pytest.mark.real
@pytest.mark.parametrize("sized", ["real"], indirect=True)
async def test_a_policy_of_the_cluster_that_refuses_a_resize_is_named(sized: Sized) -> None:
    assert sized.plane is not None
    await sized.pod()
    name = f"sizes-{sized.namespace}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods/resize"]}
    here = f"namespaceObject.metadata.name != '{sized.namespace}'"
    refused = {"expression": here, "message": "ask the platform team"}
    specs = {
        "ValidatingAdmissionPolicy": {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [refused],
        },
        "ValidatingAdmissionPolicyBinding": {"policyName": name, "validationActions": ["Deny"]},
    }
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    sized.plane.apply(*({**head, "kind": kind, "spec": spec} for kind, spec in specs.items()))
    outcome = await refusal(sized, sized.executor())
    for kind in specs:
        sized.plane.kubectl("delete", f"{kind.lower()}/{name}")
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == Reason.ADMISSION_DENIED
    assert "ask the platform team" in outcome.detail


async def test_amounts_that_admission_changes_are_not_said_to_be_set() -> None:
    async with ApiServer() as api:
        place = Sized(await api.connect(), "default", api=api)
        pod = await place.pod()
        stored = deepcopy(pod)
        stored["spec"]["containers"][1]["resources"] = changed("requests", "cpu", "150m")
        api.faults.add(Fault(writes, raw=json.dumps(stored).encode()))
        outcome = await place.executor().apply(place.intent(pod), NOON)
        await place.kube.close()
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == Reason.ADMISSION_DENIED
    assert "'cpu': '150m'" in outcome.detail


@pytest.mark.real
@pytest.mark.parametrize("sized", ["real"], indirect=True)
async def test_a_resize_is_recorded_as_ours(sized: Sized) -> None:
    await sized.executor().apply(sized.intent(await sized.pod()), NOON)
    path = ("spec", "containers", Named("model"), "resources", "requests", "cpu")
    (writer,) = writers_of(await sized.read(), path)
    assert (writer.manager, writer.subresource) == ("pilotfish", "resize")


GUARANTEED = {side: {"cpu": "100m", "memory": "64Mi"} for side in ("requests", "limits")}
BOUNDS: dict[str, tuple[Json, Reason]] = {
    "limits": (
        {"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "max": {"memory": "150Mi"}}]}},
        Reason.LIMIT_RANGE,
    ),
    "ratio": (
        {"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}}]}},
        Reason.LIMIT_RANGE,
    ),
    "quota": ({"kind": "ResourceQuota", "spec": {"hard": {"requests.cpu": "400m"}}}, Reason.QUOTA),
}


@pytest.mark.real
@pytest.mark.parametrize("sized", ["real"], indirect=True)
@pytest.mark.parametrize("name", BOUNDS)
async def test_the_bounds_of_a_namespace_are_named(sized: Sized, name: str) -> None:
    assert sized.plane is not None
    pod = await sized.pod(whole=True)
    bound, reason = BOUNDS[name]
    sized.plane.apply({"apiVersion": "v1", "metadata": {"name": name, "namespace": sized.namespace}, **bound})
    after = deepcopy(LARGE)
    after["limits"]["cpu"] = "750m" if name == "ratio" else "500m"
    outcome: Any = None
    for _ in range(40):  # the quota is computed, and both reach the API server's own cache, a little later
        outcome = await sized.executor().apply(sized.intent(pod, after=after), NOON)
        if not isinstance(outcome, Done):
            break
        await sized.executor().apply(sized.intent(pod, after, SMALL), NOON)
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == reason


@pytest.mark.real
@pytest.mark.parametrize("sized", ["real"], indirect=True)
@pytest.mark.parametrize(
    ("cpu", "limit", "reason"),
    [("9", "9", Reason.RESIZE_INFEASIBLE), ("100m", "200m", Reason.QOS_CLASS)],
)
async def test_what_the_cluster_can_never_do_is_given_up(sized: Sized, cpu: str, limit: str, reason: Reason) -> None:
    pod = await sized.pod(resources=GUARANTEED, whole=True)
    after = {"requests": {"cpu": cpu, "memory": "64Mi"}, "limits": {"cpu": limit, "memory": "64Mi"}}
    outcome = await sized.executor().apply(sized.intent(pod, GUARANTEED, after), NOON)
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == reason


@pytest.mark.real
@pytest.mark.parametrize("sized", ["real"], indirect=True)
@pytest.mark.parametrize(("resource", "allowed"), [("none", True), ("pods/resize", False)])
async def test_the_rights_of_the_chart_suffice_and_are_needed(sized: Sized, resource: str, allowed: bool) -> None:
    assert sized.plane is not None
    pod = await sized.pod()
    config = sized.plane.account(sized.namespace, "control", without(chart_rules(), resource))
    kube = await Kube.connect(config)
    outcome: Any = await sized.executor(kube).apply(sized.intent(pod), NOON)
    await kube.close()
    assert isinstance(outcome, Done if allowed else RetryAt), outcome
    assert allowed or outcome.reason == Reason.NOT_AUTHORIZED


@pytest.mark.real
@pytest.mark.parametrize("sized", ["real"], indirect=True)
async def test_the_policy_of_the_chart_admits_resizes_of_injected_pods_only(sized: Sized) -> None:
    assert sized.plane is not None
    items = [item for item in yaml.safe_load_all((RENDERED / "act-namespaces.yaml").read_text()) if item]
    policies = [item for item in items if item["metadata"]["name"].startswith("pilotfish-resize")]
    assert [item["kind"] for item in policies] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    account = f"system:serviceaccount:{sized.namespace}:pilotfish-control"
    condition = policies[0]["spec"]["matchConditions"][0]
    condition["expression"] = f'request.userInfo.username == "{account}"'
    sized.plane.apply(*policies)
    config = sized.plane.account(sized.namespace, "pilotfish-control", chart_rules())
    kube = await Kube.connect(config)
    await sized.pod()
    injected = await sized.pod("delays-2", labels={"pilotfish.dev/injected": "true"})
    outcome = await refusal(sized, sized.executor(kube))
    assert isinstance(outcome, Failed), outcome
    assert outcome.reason == Reason.ADMISSION_DENIED
    assert "resizes only pods with its sidecars" in outcome.detail
    assert await sized.executor(kube).apply(sized.intent(injected), NOON) == Done(Reason.OUTSIDE_BOUNDS)
    await kube.close()
    sized.plane.kubectl("delete", *(f"{item['kind']}/{item['metadata']['name']}" for item in policies))
