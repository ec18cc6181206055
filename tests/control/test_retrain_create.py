"""Executors that create objects, against the API server of this process and a real one: once, or with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from pilotfish.sidecar.control.cluster import OBJECTS
from pilotfish.sidecar.control.executor import Done, Executor, Failed, RetryAt
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.ledger import DELIVERED, IntentLedger, PutEntry, RetrainingRecord
from pilotfish.sidecar.control.retrain.objects import Owner
from pilotfish.sidecar.control.retrain.watcher import KINDS, ObjectWatcher
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.errors import NotLeaderError
from pilotfish.sidecar.kube.objects import CRON_JOBS, PIPELINES, WORKFLOW_TEMPLATES
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import get, list_all
from pilotfish.sidecar.settings.retraining import ArgoWorkflowTarget, JobTarget, TektonPipelineRunTarget
from tests.control.retraining import DEFINITIONS, OWNER, cron_job, intent_for, template
from tests.control.situations import NOON, entry
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane
from tests.support.waiting import eventually

TARGETS: dict[str, Any] = {
    "argoWorkflow": ArgoWorkflowTarget(workflow_template="train-delays", parameters={"at": "${event.time}"}),
    "job": JobTarget(cron_job="train-delays"),
    "tektonPipelineRun": TektonPipelineRunTarget(pipeline="train-delays"),
}
TEMPLATES = {"argoWorkflow": WORKFLOW_TEMPLATES, "job": CRON_JOBS, "tektonPipelineRun": PIPELINES}
ENDS: dict[str, dict[str, Any]] = {
    "argoWorkflow": {"phase": "Failed", "message": "no data"},
    "job": {"conditions": [{"type": "Failed", "status": "True", "reason": "Stopped", "message": "no data"}]},
    "tektonPipelineRun": {
        "conditions": [{"type": "Succeeded", "status": "False", "reason": "Stopped", "message": "no data"}]
    },
}


@dataclass(frozen=True)
class Place:
    """A namespace with the templates of all kinds."""

    kube: Kube
    owner: Owner
    plane: ControlPlane | None = None
    api: ApiServer | None = None

    @property
    def intent(self) -> Intent:
        return intent_for(self.owner)

    def executor(self, key: str, kube: Kube | None = None) -> Executor:
        return OBJECTS[key][2](kube or self.kube, self.owner, TARGETS[key])

    async def objects(self, key: str) -> list[dict[str, Any]]:
        found, _ = await list_all(self.kube, KINDS[OBJECTS[key][0]].resource, self.owner.namespace)
        return found

    async def fail(self, key: str, name: str) -> None:
        """Let an object fail: a real Job by its deadline, others by their status."""
        resource, namespace = KINDS[OBJECTS[key][0]].resource, self.owner.namespace
        if self.plane is not None and key == "job":
            await merge_patch(self.kube, resource, name, {"spec": {"activeDeadlineSeconds": 1}}, namespace)
        else:
            await merge_patch(self.kube, resource, name, {"status": ENDS[key]}, namespace, subresource="status")

    async def create_templates(self) -> None:
        namespace = self.owner.namespace
        await create(self.kube, CRON_JOBS, cron_job(namespace), namespace)
        await create(self.kube, WORKFLOW_TEMPLATES, template("WorkflowTemplate", namespace), namespace)
        await create(self.kube, PIPELINES, template("Pipeline", namespace), namespace)


@pytest_asyncio.fixture(params=["in-process", pytest.param("real", marks=pytest.mark.real)])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """Either API server, with the kinds of Argo and Tekton."""
    if request.param == "real":
        plane: ControlPlane = request.getfixturevalue("control_plane")
        plane.apply(*DEFINITIONS)
        plane.wait_for_kinds(*(one["metadata"]["name"] for one in DEFINITIONS))
        kube = await Kube.connect(plane.kubeconfig)
        found = Place(kube, replace(OWNER, namespace=plane.namespace()), plane)
        await found.create_templates()
        yield found
        await kube.close()
        return
    async with ApiServer() as api:
        kube = await api.connect()
        found = Place(kube, OWNER, api=api)
        await found.create_templates()
        yield found
        await kube.close()


@pytest.mark.parametrize("key", OBJECTS)
@pytest.mark.asyncio
async def test_attempts_of_one_intent_create_one_object(place: Place, key: str) -> None:
    intent, executor = place.intent, place.executor(key)
    outcomes = await asyncio.gather(*(executor.apply(intent, NOON) for _ in range(4)))
    outcomes += [await place.executor(key).apply(intent, NOON)]
    assert all(isinstance(outcome, Done) for outcome in outcomes), outcomes
    (found,) = await place.objects(key)
    assert outcomes[0] == outcomes[-1]
    record = outcomes[0].retraining  # type: ignore[union-attr]  # checked above
    assert record is not None
    assert (record.kind, record.name, record.state) == (OBJECTS[key][0], found["metadata"]["name"], "running")
    await executor.apply(intent_for(place.owner, "e2"), NOON)
    assert len(await place.objects(key)) == 2


@pytest.mark.parametrize("key", OBJECTS)
@pytest.mark.asyncio
async def test_an_object_of_somebody_else_is_never_taken_for_ours(place: Place, key: str) -> None:
    await place.executor(key).apply(place.intent, NOON)
    (found,) = await place.objects(key)
    resource, metadata = KINDS[OBJECTS[key][0]].resource, found["metadata"]
    labels = {"metadata": {"labels": {"pilotfish.dev/intent": "other"}}}
    await merge_patch(place.kube, resource, metadata["name"], labels, metadata["namespace"])
    outcome = await place.executor(key).apply(place.intent, NOON)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "already_exists"
    assert metadata["name"] in outcome.detail


@pytest.mark.parametrize("key", OBJECTS)
@pytest.mark.asyncio
async def test_a_missing_template_is_named_and_the_object_is_created_once_it_exists(place: Place, key: str) -> None:
    namespace = place.owner.namespace
    body = await get(place.kube, TEMPLATES[key], "train-delays", namespace)
    await delete(place.kube, TEMPLATES[key], "train-delays", namespace)
    outcome = await place.executor(key).apply(place.intent, NOON)
    assert isinstance(outcome, RetryAt)
    assert (outcome.reason, outcome.at) == ("template_not_found", NOON + 60)
    assert "train-delays does not exist in the namespace" in outcome.detail
    body["metadata"] = {"name": "train-delays", "namespace": namespace}
    await create(place.kube, TEMPLATES[key], body, namespace)
    assert isinstance(await place.executor(key).apply(place.intent, NOON), Done)


@pytest.mark.parametrize("key", OBJECTS)
@pytest.mark.asyncio
async def test_an_object_is_followed_to_its_failure_and_to_its_removal(place: Place, key: str) -> None:
    intent = place.intent
    outcome = await place.executor(key).apply(intent, NOON)
    assert isinstance(outcome, Done)
    assert outcome.retraining is not None
    row = msgspec.structs.replace(entry(intent.id, state=DELIVERED), retraining=outcome.retraining)
    ledger = IntentLedger().apply([PutEntry(row)])
    watcher = ObjectWatcher(place.kube, place.owner.namespace)
    watcher.follow(ledger)
    await watcher.read()
    assert [(fact.id, fact.state) for fact in watcher.facts] == [(intent.id, "running")]
    resource, name = KINDS[outcome.retraining.kind].resource, outcome.retraining.name
    stop = asyncio.Event()
    running = asyncio.create_task(watcher.run(stop, 0.05))
    await place.fail(key, name)
    await eventually(lambda: watcher.facts[0].state == "failed", what="the failure")
    assert watcher.facts[0].detail.startswith(("DeadlineExceeded: ", "Stopped: no data", "no data"))
    await delete(place.kube, resource, name, place.owner.namespace)
    await eventually(lambda: watcher.facts[0].reason == "retraining_gone", what="the object to be gone")
    stop.set()
    await running
    watcher.follow(IntentLedger())
    assert watcher.facts == ()


@pytest.mark.asyncio
async def test_the_watcher_survives_what_it_cannot_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise TypeError("an odd answer")

    record = RetrainingRecord(kind="Job", name="j", state="running")
    row = msgspec.structs.replace(entry(state=DELIVERED), retraining=record)
    async with ApiServer() as api:
        kube = await api.connect()
        watcher = ObjectWatcher(kube, "flights")
        watcher.follow(IntentLedger().apply([PutEntry(row)]))
        with monkeypatch.context() as patch:
            patch.setattr("pilotfish.sidecar.control.retrain.watcher.get", fail)
            await watcher.read()
        assert not list(watcher.facts)
        assert "the state of Job j is unknown" in caplog.text
        await watcher.read()
        assert [fact.reason for fact in watcher.facts] == ["retraining_gone"]
        await kube.close()


def fault(method: str, **how: Any) -> Fault:
    return Fault(when=lambda call: call.method == method, times=1, **how)


@pytest.mark.parametrize(
    ("broken", "reason", "wait"),
    [
        (fault("POST", status=403, reason="Forbidden"), "not_authorized", 60.0),
        (fault("GET", status=403, reason="Forbidden"), "not_authorized", 60.0),
        (fault("POST", status=404), "api_missing", 60.0),
        (fault("GET", status=404), "api_missing", 60.0),
        (fault("POST", status=409, reason="Conflict"), "api_server_unreachable", 0.0),
        (fault("POST", status=422, reason="Invalid"), "invalid_object", 60.0),
        (fault("POST", status=429, retry_after=77), "throttled", 77.0),
        (fault("POST", status=503, retry_after=5), "api_server_unreachable", 5.0),
        (fault("POST", drop="before"), "api_server_unreachable", 0.0),
        (fault("POST", drop="after"), "api_server_unreachable", 0.0),
    ],
    ids=lambda value: "",
)
@pytest.mark.parametrize("key", OBJECTS)
@pytest.mark.asyncio
async def test_an_error_has_its_reason_and_the_next_attempt_creates_one_object(
    key: str, broken: Fault, reason: str, wait: float
) -> None:
    async with ApiServer() as api:
        kube = await api.connect()
        place = Place(kube, OWNER, api=api)
        await place.create_templates()
        api.faults.add(replace(broken))
        outcome = await place.executor(key).apply(place.intent, NOON)
        assert isinstance(outcome, RetryAt)
        assert (outcome.reason, outcome.at) == (reason, NOON + wait)
        assert outcome.detail
        api.faults.end()
        assert isinstance(await place.executor(key).apply(place.intent, NOON), Done)
        assert len(await place.objects(key)) == 1
        await kube.close()


@pytest.mark.asyncio
async def test_a_kind_that_is_not_installed_is_named() -> None:
    async with ApiServer(missing={"argoproj.io"}) as api:
        kube = await api.connect()
        outcome = await Place(kube, OWNER, api=api).executor("argoWorkflow").apply(intent_for(), NOON)
        assert isinstance(outcome, RetryAt)
        assert outcome.reason == "api_missing"
        await kube.close()


@pytest.mark.asyncio
async def test_a_process_that_does_not_lead_creates_nothing() -> None:
    def refuse() -> None:
        raise NotLeaderError("this process does not lead")

    async with ApiServer() as api:
        kube = await api.connect()
        place = Place(kube, OWNER, api=api)
        await place.create_templates()
        kube.guard = refuse
        for key in OBJECTS:
            assert isinstance(await place.executor(key).apply(place.intent, NOON), RetryAt)
            assert await place.objects(key) == []
        await kube.close()


READ = [
    {"apiGroups": ["argoproj.io"], "resources": ["workflowtemplates"], "verbs": ["get"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get"]},
    {"apiGroups": ["tekton.dev"], "resources": ["pipelines"], "verbs": ["get"]},
]
CREATE = [
    {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create", "get"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get"]},
    {"apiGroups": ["tekton.dev"], "resources": ["pipelineruns"], "verbs": ["create", "get"]},
]


@pytest.mark.real
@pytest.mark.asyncio
async def test_a_missing_right_is_named_and_these_rights_are_enough(control_plane: ControlPlane) -> None:
    control_plane.apply(*DEFINITIONS)
    control_plane.wait_for_kinds(*(one["metadata"]["name"] for one in DEFINITIONS))
    admin = await Kube.connect(control_plane.kubeconfig)
    place = Place(admin, replace(OWNER, namespace=control_plane.namespace()), control_plane)
    await place.create_templates()
    for name, rules, missing in (
        ("none", [], 'cannot get resource "'),
        ("reader", READ, 'cannot create resource "'),
        ("creator", READ + CREATE, ""),
    ):
        kube = await Kube.connect(control_plane.account(place.owner.namespace, name, rules))
        for key in OBJECTS:
            outcome = await place.executor(key, kube).apply(place.intent, NOON)
            if missing:
                assert isinstance(outcome, RetryAt)
                assert outcome.reason == "not_authorized"
                assert missing in outcome.detail
            else:
                assert isinstance(outcome, Done)
        await kube.close()
    await admin.close()


@pytest.mark.real
@pytest.mark.asyncio
async def test_a_job_equals_that_of_kubectl_and_ends_with_its_cron_job(control_plane: ControlPlane) -> None:
    admin = await Kube.connect(control_plane.kubeconfig)
    place = Place(admin, replace(OWNER, namespace=control_plane.namespace()), control_plane)
    await create(admin, CRON_JOBS, cron_job(place.owner.namespace), place.owner.namespace)
    await place.executor("job").apply(place.intent, NOON)
    control_plane.kubectl("create", "job", "by-hand", "--from=cronjob/train-delays", "-n", place.owner.namespace)
    by_name = {job["metadata"]["name"]: job for job in await place.objects("job")}
    theirs, ours = by_name.pop("by-hand"), by_name.popitem()[1]
    (owner,), (reference,) = ours["metadata"]["ownerReferences"], theirs["metadata"]["ownerReferences"]
    assert owner == {key: value for key, value in reference.items() if key != "controller"}
    for field in ("labels", "annotations"):
        assert theirs["metadata"][field].items() <= ours["metadata"][field].items()
    for job in (theirs, ours):
        del job["spec"]["selector"], job["spec"]["template"]
    assert ours["spec"] == theirs["spec"]
    namespace = place.owner.namespace
    events = control_plane.kubectl("get", "events", "-n", namespace, "-o", "jsonpath={.items[*].message}")
    assert f"did not create or forgot: {ours['metadata']['name']}" not in events
    await delete(admin, CRON_JOBS, "train-delays", namespace)
    name = ours["metadata"]["name"]
    gone = ("get", "job", name, "-n", namespace, "--ignore-not-found", "-o", "name")
    await eventually(lambda: not control_plane.kubectl(*gone), timeout=60, what="the Job to end with its CronJob")
    await admin.close()
