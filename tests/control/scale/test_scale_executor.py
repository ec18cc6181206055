"""The executor that sets replicas, against the API server of this process and a real one."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.control.executor import Done, Dropped, Failed, Outcome, RetryAt
from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.executor import ScaleExecutor
from pilotfish.sidecar.control.workload.kinds import replicas_path
from pilotfish.sidecar.control.workload.managed_fields import writers_of
from pilotfish.sidecar.kube.errors import ConflictError
from pilotfish.sidecar.kube.objects import DEPLOYMENTS
from pilotfish.sidecar.kube.patch import apply
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.scale.places import DEPLOYMENT, KINDS, Interfering, Place, intent
from tests.control.situations import NOON
from tests.support.apiserver.faults import Fault, writes
from tests.support.apiserver.server import ApiServer

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


async def settled(executor: ScaleExecutor, wanted: Intent) -> Outcome:
    """Return the outcome; the status of a real Deployment may change in between, and then it is tried again."""
    for _ in range(20):
        outcome = await executor.apply(wanted, NOON)
        if not isinstance(outcome, Dropped) or "has been modified" not in outcome.detail:
            return outcome
    return outcome


@pytest.mark.parametrize("kind", KINDS)
async def test_the_replicas_of_each_kind_are_set_and_recorded_as_ours(place: Place, kind: str) -> None:
    target = await place.create(kind)
    executor = place.executor(target)
    assert await settled(executor, intent(2, 5)) == Done(Reason.MODE)
    found = await place.read(target)
    assert await place.replicas(target) == 5
    if place.plane is not None or kind != "InferenceService":  # the API server of this process records `replicas` only
        assert [writer.manager for writer in writers_of(found, replicas_path(found))] == ["pilotfish"]
    assert await executor.apply(intent(2, 5), NOON) == Done(Reason.MODE), "an attempt that was lost is repeated"
    if kind == "InferenceService":
        assert found["spec"]["predictor"] == {"minReplicas": 5, "maxReplicas": 5}


@pytest.mark.parametrize("kind", ["Deployment", "Rollout", "LLMInferenceService"])
async def test_replicas_that_somebody_else_changed_are_left_alone(place: Place, kind: str) -> None:
    target = await place.create(kind)
    await place.patch(target, {"spec": {"replicas": 3}})
    outcome = await place.executor(target).apply(intent(2, 5), NOON)
    assert isinstance(outcome, Dropped)
    assert outcome.reason == Reason.CONFLICT
    assert f"{kind} 'delays' has 3 replicas now, and had 2 when the change was decided" in outcome.detail
    assert await place.replicas(target) == 3


@pytest.mark.parametrize("kind", ["Deployment", "Rollout", "LLMInferenceService"])
async def test_of_two_writers_with_one_resource_version_the_later_one_is_refused(place: Place, kind: str) -> None:
    target = await place.create(kind)
    other = Interfering(place.kube, lambda: place.patch(target, {"spec": {"replicas": 7}}))
    outcome = await place.executor(target, other.as_kube()).apply(intent(2, 5), NOON)
    assert isinstance(outcome, Dropped)
    assert outcome.reason == Reason.CONFLICT
    assert await place.replicas(target) == 7


@pytest.mark.real
@pytest.mark.parametrize("place", ["real"], indirect=True)
async def test_a_later_server_side_apply_conflicts_and_names_us(place: Place) -> None:
    await place.create()
    await settled(place.executor(DEPLOYMENT), intent(2, 5))
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "delays", "namespace": place.namespace},
        "spec": {"replicas": 2},
    }
    with pytest.raises(ConflictError, match=r'conflict with "pilotfish" with subresource "scale".*\.spec\.replicas'):
        await apply(place.kube, DEPLOYMENTS, body, field_manager="helm")
    await apply(place.kube, DEPLOYMENTS, body, field_manager="argocd-controller", force=True)
    (writer,) = writers_of(await place.read(), ("spec", "replicas"))
    assert (writer.manager, writer.operation) == ("argocd-controller", "Apply")


async def test_a_target_that_is_missing_is_tried_again(place: Place) -> None:
    outcome = await place.executor(DEPLOYMENT).apply(intent(2, 5), NOON)
    assert isinstance(outcome, RetryAt)
    assert (outcome.reason, outcome.at) == (Reason.TARGET_NOT_FOUND, NOON + 60)


async def test_an_inference_service_whose_bounds_start_a_revision_is_refused(place: Place) -> None:
    target = await place.create("InferenceService")
    mode = {"metadata": {"annotations": {"serving.kserve.io/deploymentMode": "Serverless"}}}
    await place.patch(target, mode)
    outcome = await place.executor(target).apply(intent(2, 5), NOON)
    assert isinstance(outcome, Failed)
    assert outcome.reason == Reason.NOT_SCALABLE
    assert "its deployment mode is Serverless" in outcome.detail
    assert await place.replicas(target) == 2


@pytest.mark.parametrize(
    ("status", "reason", "wait"),
    [
        (403, Reason.NOT_AUTHORIZED, 60),
        (422, Reason.INVALID_OBJECT, 60),
        (429, Reason.THROTTLED, 5),
        (500, Reason.API_SERVER_UNREACHABLE, 0),
    ],
)
async def test_each_error_of_the_server_has_its_reason(status: int, reason: Reason, wait: float) -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        await place.create()
        api.faults.add(Fault(writes, status=status, retry_after=5 if status == 429 else None))
        outcome = await place.executor(DEPLOYMENT).apply(intent(2, 5), NOON)
        await place.kube.close()
    assert isinstance(outcome, RetryAt)
    assert (outcome.reason, outcome.at) == (reason, NOON + wait)
    assert "Deployment 'delays': PUT " in outcome.detail


async def test_a_kind_without_a_scale_is_named(place: Place) -> None:
    target = TargetRef(api_version="apps/v1", kind="DaemonSet", name="delays")
    outcome = await place.executor(target).apply(intent(2, 5), NOON)
    assert isinstance(outcome, RetryAt)
    assert "DaemonSet 'delays'" in outcome.detail
