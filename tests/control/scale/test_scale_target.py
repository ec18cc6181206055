"""The reader of targets, against the API server of this process and a real one."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from pilotfish.sidecar.control.executor import Done, RetryAt
from pilotfish.sidecar.control.manager.scale_target import LIST_SECONDS, LISTS, ScaleTargetReader
from pilotfish.sidecar.control.manager.trouble import TroubleError
from pilotfish.sidecar.control.reasons import Reason
from pilotfish.sidecar.control.scale.manual import ManualChange, OwnWrite, blocking_owner, manual_change
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.errors import ForbiddenError
from pilotfish.sidecar.kube.objects import DISRUPTION_BUDGETS, HORIZONTAL_AUTOSCALERS, PODS, SCALED_OBJECTS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.settings.document import TargetRef
from tests.control.scale.places import DEPLOYMENT, KINDS, Place, chart_rules, intent, without
from tests.control.scale.targets import autoscaler, budget, reference, scaled_object
from tests.control.situations import NOON
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import soon

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


LATER = 4_000_000_000.0  # after the creation of every object


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = NOON

    def __call__(self) -> float:
        return self.now


async def test_a_target_that_nobody_else_scales_has_no_owner_and_no_problem(place: Place) -> None:
    for kind in KINDS:
        target = await place.create(kind, 2)
        facts = await ScaleTargetReader(place.kube, Clock()).read(place.namespace, target)
        assert (facts.kind, facts.name, facts.spec_replicas, facts.at) == (kind, "delays", 2, NOON)
        assert (facts.owner, facts.problems, facts.disruption_floor) == (None, (), None)


async def test_a_change_by_kubectl_scale_is_a_manual_change(place: Place) -> None:
    await place.create()
    clock = Clock(LATER)
    reader = ScaleTargetReader(place.kube, clock)
    await place.scale(4, manager="pilotfish")
    writes = [OwnWrite(2, 4, LATER)]
    clock.now += 15
    assert manual_change(writes, await reader.read(place.namespace, DEPLOYMENT), None) is None
    await place.scale(3)
    clock.now += 15
    change = manual_change(writes, await reader.read(place.namespace, DEPLOYMENT), None)
    assert change == ManualChange(3, "kubectl", LATER + 30, LATER)
    clock.now += 15
    assert manual_change(writes, await reader.read(place.namespace, DEPLOYMENT), change) == change


async def test_a_loop_that_reverts_is_fought_twice_and_then_named(place: Place) -> None:
    """Argo CD applies server-side and forces conflicts; every 15 s, the controller wants 4 replicas."""
    clock = Clock(LATER)
    reader, writes, reasons = ScaleTargetReader(place.kube, clock), list[OwnWrite](), list[Reason]()
    await place.apply(2, "argocd-controller")
    for _ in range(6):
        clock.now += 15
        seen = await reader.read(place.namespace, DEPLOYMENT)
        owner = blocking_owner(writes, seen, take_ownership=True)
        if owner is not None:
            reasons.append(owner.reason)
            assert owner.manager == "argocd-controller"
            continue
        await place.scale(4, manager="pilotfish")
        writes.append(OwnWrite(seen.spec_replicas, 4, clock.now))
        clock.now += 15
        assert blocking_owner(writes, await reader.read(place.namespace, DEPLOYMENT), take_ownership=False) is None
        await place.apply(2, "argocd-controller")
    assert [write.before for write in writes] == [2, 2]
    assert reasons == [Reason.REVERTED] * 4
    seen = await reader.read(place.namespace, DEPLOYMENT)
    assert seen.owner is not None
    assert seen.owner.reason is Reason.GITOPS


async def test_an_autoscaler_is_found_until_it_is_deleted(place: Place) -> None:
    await place.create()
    clock = Clock()
    reader = ScaleTargetReader(place.kube, clock)
    await create(place.kube, HORIZONTAL_AUTOSCALERS, autoscaler(reference()), place.namespace)
    owner = (await reader.read(place.namespace, DEPLOYMENT)).owner
    assert owner is not None
    assert (owner.reason, owner.name, owner.yields) == (Reason.AUTOSCALER, "delays-hpa", False)
    await delete(place.kube, HORIZONTAL_AUTOSCALERS, "delays-hpa", place.namespace)
    clock.now += LIST_SECONDS
    assert (await reader.read(place.namespace, DEPLOYMENT)).owner is None


async def test_the_budget_of_its_pods_and_no_other_bounds_a_target(place: Place) -> None:
    await place.create(replicas=3)
    budgets = {
        "ours": {"matchLabels": {"app": "delays"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]},
        "others": {"matchLabels": {"app": "other"}},
    }
    for name, selector in budgets.items():
        body = budget(name, expected=3, healthy=3, desired=2)
        body["spec"] |= {"selector": selector, "minAvailable": 2}
        await create(place.kube, DISRUPTION_BUDGETS, body, place.namespace)
    clock = Clock()
    reader = ScaleTargetReader(place.kube, clock)

    async def bounded() -> bool:
        clock.now += LIST_SECONDS
        return (await reader.read(place.namespace, DEPLOYMENT)).disruption_floor == 2

    await soon(bounded, "the status of the budget")


async def test_a_budget_that_selects_every_pod_counts_and_one_without_a_selector_does_not() -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        await place.create(replicas=3)
        clock = Clock()
        reader = ScaleTargetReader(place.kube, clock)
        for name, selector, floor in (("none", None, None), ("every", {}, 2)):
            body = budget(name, expected=3, healthy=3, desired=2)
            body["spec"] = {"minAvailable": 2, **({"selector": selector} if selector is not None else {})}
            await create(place.kube, DISRUPTION_BUDGETS, body, "default")
            clock.now += LIST_SECONDS
            assert (await reader.read("default", DEPLOYMENT)).disruption_floor == floor
        await place.kube.close()


async def test_own_pods_without_a_node_are_counted(place: Place) -> None:
    await place.create(replicas=1)
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    for name, app in (("ours", "delays"), ("other", "other")):
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": app}},
            "spec": {"containers": [{"name": "model", "image": "model"}]},
        }
        await create(place.kube, PODS, body, place.namespace)
        status = {"status": {"phase": "Pending", "conditions": [condition]}}
        await merge_patch(place.kube, PODS, name, status, place.namespace, subresource="status")
    facts = await ScaleTargetReader(place.kube, Clock()).read(place.namespace, DEPLOYMENT)
    assert facts.unschedulable == 1


async def test_a_scaled_object_is_found_where_keda_is_installed() -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        await place.create()
        await create(place.kube, SCALED_OBJECTS, scaled_object({"name": "delays"}), "default")
        owner = (await ScaleTargetReader(place.kube, Clock()).read("default", DEPLOYMENT)).owner
        await place.kube.close()
    assert owner is not None
    assert (owner.reason, owner.name) == (Reason.SCALED_OBJECT, "delays-so")


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        *((name, 403, Reason.NOT_AUTHORIZED) for name in LISTS),
        pytest.param("budgets", 500, Reason.API_SERVER_UNREACHABLE, marks=pytest.mark.long),
    ],
)
async def test_a_list_that_cannot_be_read_is_a_problem_of_that_fact_alone(
    name: str, status: int, reason: Reason
) -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        await place.create()
        await create(place.kube, HORIZONTAL_AUTOSCALERS, autoscaler(reference()), "default")
        fault = api.faults.add(Fault(lambda call: call.path.endswith(f"/{LISTS[name].plural}"), status=status))
        clock = Clock()
        reader = ScaleTargetReader(place.kube, clock)
        facts = await reader.read("default", DEPLOYMENT)
        assert [(problem.fact, problem.reason) for problem in facts.problems] == [(name, reason)]
        assert LISTS[name].plural in facts.problems[0].text
        assert (facts.owner is None) == (name == "autoscalers")
        fault.release()
        clock.now += LIST_SECONDS
        assert (await reader.read("default", DEPLOYMENT)).problems == ()
        await place.kube.close()


async def test_the_lists_of_a_namespace_are_read_once_for_all_its_targets_and_are_as_old_as_they_are() -> None:
    async with ApiServer() as api:
        place = Place(await api.connect(), "default", api=api)
        await place.create()
        clock = Clock()
        reader = ScaleTargetReader(place.kube, clock)
        await reader.read("default", DEPLOYMENT)
        clock.now += LIST_SECONDS - 1
        assert (await reader.read("default", DEPLOYMENT)).at == NOON
        assert sum(call.path.endswith("/horizontalpodautoscalers") for call in api.calls) == 1
        clock.now += 1
        assert (await reader.read("default", DEPLOYMENT)).at == clock.now
        clock.now = NOON - 3600
        assert (await reader.read("default", DEPLOYMENT)).at == clock.now, "a clock that was set back reads anew"
        await place.kube.close()


async def test_what_has_no_replicas_is_no_target(place: Place) -> None:
    reader = ScaleTargetReader(place.kube, Clock())
    for kind, reason in (("Deployment", Reason.TARGET_NOT_FOUND), ("DaemonSet", Reason.NOT_SCALABLE)):
        with pytest.raises(TroubleError) as raised:
            await reader.read(place.namespace, TargetRef(api_version="apps/v1", kind=kind, name="delays"))
        assert raised.value.trouble.reason is reason
    target = await place.create("LLMInferenceService")
    await place.patch(target, {"spec": {"scaling": {"maxReplicas": 3}}})
    with pytest.raises(TroubleError, match=r"its spec.scaling creates an autoscaler; replace it by spec.replicas"):
        await reader.read(place.namespace, target)


@pytest.mark.real
@pytest.mark.parametrize("place", ["real"], indirect=True)
async def test_the_rights_of_the_chart_suffice_for_the_named_target_and_no_other(place: Place) -> None:
    assert place.plane is not None
    rules = chart_rules()
    kube = await Kube.connect(place.plane.account(place.namespace, "chart", rules))
    targets = [await place.create(kind) for kind in KINDS]
    reader = ScaleTargetReader(kube, Clock())

    async def authorized() -> bool:
        return await problems(kube, place) == []

    await soon(authorized, "the rights of the chart")
    for target in (target for target in targets if target.kind != "Model"):
        assert (await reader.read(place.namespace, target)).problems == ()
    with pytest.raises(TroubleError, match=r"models.example.org .* cannot get resource"):
        await reader.read(place.namespace, next(target for target in targets if target.kind == "Model"))
    done = [await place.executor(DEPLOYMENT, kube).apply(intent(2, 5), NOON) for _ in range(5)]
    assert Done(Reason.MODE) in done
    outcome = await place.executor(targets[-1], kube).apply(intent(2, 5), NOON)
    assert isinstance(outcome, RetryAt)
    assert outcome.reason == Reason.NOT_AUTHORIZED
    with pytest.raises(ForbiddenError):
        await replace(place, kube=kube).patch(DEPLOYMENT, {"spec": {"replicas": 9}})
    await kube.close()


@pytest.mark.real
@pytest.mark.parametrize("place", ["real"], indirect=True)
async def test_a_right_that_is_missing_makes_one_fact_unknown(place: Place) -> None:
    assert place.plane is not None
    await place.create()
    rules = without(chart_rules(), "poddisruptionbudgets")
    kube = await Kube.connect(place.plane.account(place.namespace, "less", rules))

    async def one_missing() -> bool:
        return await problems(kube, place) == [("budgets", Reason.NOT_AUTHORIZED)]

    await soon(one_missing, "all other rights")
    await kube.close()


async def problems(kube: Kube, place: Place) -> list[tuple[str, Reason]]:
    """Return the facts about the Deployment that are unknown, with the reasons."""
    try:
        found = (await ScaleTargetReader(kube, Clock()).read(place.namespace, DEPLOYMENT)).problems
    except TroubleError as error:
        return [("target", error.trouble.reason)]
    return [(problem.fact, problem.reason) for problem in found]
