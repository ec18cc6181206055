"""Pods that the API server refuses: found by the condition of the workload, or by its Events, in the server's words."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.scale_target import ScaleTargetReader
from pilotfish.sidecar.control.scale.target import TargetFacts, TargetSurroundings, target_facts
from pilotfish.sidecar.control.workload.kinds import resource_of
from pilotfish.sidecar.control.workload.refusals import PodRefusal, refused_by_condition, refused_by_events
from pilotfish.sidecar.doctor.trial import trial_pod
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.errors import ForbiddenError
from pilotfish.sidecar.kube.objects import DEPLOYMENTS, EVENTS, PODS, RESOURCE_QUOTAS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import get
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.scale.places import DEPLOYMENT, Place, chart_rules
from tests.control.scale.targets import deployment
from tests.control.scale.test_scale_target import Clock
from tests.control.situations import NOON
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.examples import examples
from tests.support.waiting import soon

pytestmark = pytest.mark.timeout(120)

WORDS = 'pods "delays-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1'


def failing(reason: str = "FailedCreate", status: str = "True", **condition: Any) -> dict[str, Any]:
    """Return the condition of a Deployment whose pods are refused."""
    return {"type": "ReplicaFailure", "status": status, "reason": reason, "message": WORDS, **condition}


def event(reason: str, second: int, note: str = WORDS, **fields: Any) -> dict[str, Any]:
    """Return an Event about a pod of a StatefulSet."""
    return {"reason": reason, "note": note, "deprecatedLastTimestamp": f"2026-01-01T00:00:{second:02d}Z", **fields}


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([failing()], WORDS),
        ([{"type": "Available", "status": "True"}, failing()], WORDS),
        ([failing(message="")], "FailedCreate"),
        ([failing("FailedDelete")], ""),
        ([failing(status="False")], ""),
        ([], ""),
        (None, ""),
    ],
)
def test_the_condition_says_why_pods_are_refused(conditions: Any, words: str) -> None:
    assert refused_by_condition({"status": {"conditions": conditions}}) == words


def test_the_newest_event_counts_whatever_their_order_and_form() -> None:
    assert refused_by_events([event("FailedCreate", 2), event("SuccessfulCreate", 1)]) == WORDS
    assert refused_by_events([event("FailedCreate", 1), event("SuccessfulCreate", 2), event("Other", 3)]) == ""
    repeated = event("FailedCreate", 0, series={"count": 2, "lastObservedTime": "2026-01-01T00:01:00.5Z"})
    assert refused_by_events([event("SuccessfulCreate", 30), repeated]) == WORDS
    assert refused_by_events([event("FailedCreate", 1), event("SuccessfulCreate", 1)]) == "", "in the same second"
    assert refused_by_events([]) == ""


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5) | st.just("FailedCreate"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["conditions", "type", "reason", "note", "series", "lastObservedTime", "eventTime"]), inner
        )
    ),
    max_leaves=8,
)


@given(JSON)
@settings(max_examples=examples(200))
def test_any_status_and_any_events_are_read(value: Any) -> None:
    refused_by_condition({"status": value})
    refused_by_events([one for one in value if isinstance(one, dict)] if isinstance(value, list) else [])


def test_refused_pods_of_a_rollout_are_named_in_what_it_waits_for() -> None:
    item = deployment(replicas=3)
    item["status"]["updatedReplicas"] = 1
    facts = target_facts(item, None, TargetSurroundings(refusal=PodRefusal(WORDS)), NOON)
    assert facts.rollout == f"2 of 3 pods have an older template; {WORDS}"
    assert facts.refused == "", "no pod is missing"


async def shown(place: Place, target: TargetRef, status: dict[str, Any]) -> None:
    """Change the status of an object, as its controller does."""
    resource = resource_of(target.api_version, target.kind)
    await merge_patch(place.kube, resource, target.name, {"status": status}, "default", subresource="status")


async def read(kube: Kube, target: TargetRef = DEPLOYMENT, namespace: str = "default") -> TargetFacts:
    return await ScaleTargetReader(kube, Clock()).read(namespace, target)


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "Rollout"])
async def test_a_condition_counts_while_pods_are_missing(kind: str) -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        target = await place.create(kind, 3)
        await shown(place, target, {"replicas": 1, "conditions": [failing()]})
        assert (await read(place.kube, target)).refused == WORDS
        await shown(place, target, {"replicas": 3})
        assert (await read(place.kube, target)).refused == ""
        await place.kube.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "made"), [("InferenceService", "delays-predictor"), ("LLMInferenceService", "delays-kserve")]
)
async def test_the_deployment_that_kserve_makes_is_read(kind: str, made: str) -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        target = await place.create(kind, 3)
        facts = await read(place.kube, target)
        assert (facts.refused, facts.unseen) == ("", ""), "a LeaderWorkerSet was made instead"
        body = deployment(made, replicas=3)
        await create(place.kube, DEPLOYMENTS, body, "default")
        status = {"status": {"replicas": 1, "conditions": [failing()]}}
        await merge_patch(place.kube, DEPLOYMENTS, made, status, "default", subresource="status")
        assert (await read(place.kube, target)).refused == WORDS
        api.faults.add(Fault(lambda call: call.path.endswith(f"/deployments/{made}"), status=403))
        assert f"Deployment '{made}'" in (await read(place.kube, target)).unseen
        await place.kube.close()


@pytest.mark.asyncio
async def test_the_events_of_a_stateful_set_count_if_they_can_be_read() -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        target = await place.create("StatefulSet", 3)
        uid = (await place.read(target))["metadata"]["uid"]
        assert (await read(place.kube, target)).refused == ""
        for name, regarded in (("ours", uid), ("other", "another")):
            regarding = {"kind": "StatefulSet", "name": "delays", "uid": regarded, "namespace": "default"}
            words = WORDS if regarded == uid else "not ours"
            body = {**event("FailedCreate", 1, words), "metadata": {"name": name}, "regarding": regarding}
            await create(place.kube, EVENTS, {"apiVersion": EVENTS.api_version, "kind": "Event", **body}, "default")
        assert (await read(place.kube, target)).refused == WORDS
        api.faults.add(Fault(lambda call: call.path.endswith("/events"), status=403))
        facts = await read(place.kube, target)
        assert facts.refused == ""
        assert facts.unseen.startswith(
            "3 replicas missing, and it is not known whether the API server refuses the pods"
        )
        assert facts.problems == (), "scaling does not depend on it"
        await shown(place, target, {"replicas": 3})
        assert (await read(place.kube, target)).unseen == ""
        await place.kube.close()


@pytest.mark.asyncio
async def test_a_kind_that_shows_nothing_is_named_while_replicas_are_missing() -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        target = await place.create("LeaderWorkerSet", 2)
        assert "a LeaderWorkerSet does not show it" in (await read(place.kube, target)).unseen
        await place.kube.close()


async def refuses_a_pod(place: Place) -> bool:
    """Return whether the API server applies the quota: it learns of a new one later, and admits all pods until then."""
    path, pod = PODS.path(place.namespace), trial_pod(place.namespace)
    try:
        await place.kube.request("POST", path, query=[("dryRun", "All")], body=pod)
    except ForbiddenError as error:
        return "exceeded quota: small" in str(error)
    return False


@pytest.mark.real
@pytest.mark.asyncio
@pytest.mark.parametrize("place", ["real"], indirect=True)
@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_a_quota_of_a_real_cluster_refuses_pods_until_it_has_room(place: Place, kind: str) -> None:
    assert place.plane is not None
    quota = {"metadata": {"name": "small"}, "spec": {"hard": {"pods": "0"}}}
    await create(place.kube, RESOURCE_QUOTAS, {"apiVersion": "v1", "kind": "ResourceQuota", **quota}, place.namespace)
    await soon(partial(refuses_a_pod, place), "quota in force")
    target = await place.create(kind, 3)
    rules = [*chart_rules(), {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["list"]}]
    kube = await Kube.connect(place.plane.account(place.namespace, "chart", rules))

    async def refused() -> bool:
        return "exceeded quota: small" in (await read(kube, target, place.namespace)).refused

    async def created() -> bool:
        # A controller whose pods were refused tries again after a delay that doubles, or at once after a change.
        for replicas in 4, 3:
            await place.scale(replicas, target)
        facts = await read(kube, target, place.namespace)
        return facts.refused == "" and facts.status_replicas > 0  # a StatefulSet waits for its first pod

    async def raised() -> bool:
        found = await get(place.kube, RESOURCE_QUOTAS, "small", place.namespace)
        return (found.get("status") or {}).get("hard") == {"pods": "9"}

    try:
        await soon(refused, "refusal of pods")
        await merge_patch(place.kube, RESOURCE_QUOTAS, "small", {"spec": {"hard": {"pods": "9"}}}, place.namespace)
        await soon(raised, "raised quota")
        await soon(created, "pods after the quota was raised")
    finally:
        await kube.close()
