"""What clients trust: caBundle and the ConfigMaps equal the bundle, whoever changes them, and through rotations."""

from __future__ import annotations

import copy
from functools import partial

import pytest

from pilotfish.sidecar.inject.server import publishing
from pilotfish.sidecar.inject.server.publishing import CONFIG_MAP
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, MUTATING_WEBHOOKS, NAMESPACES
from pilotfish.sidecar.kube.patch import json_patch, merge_patch
from pilotfish.sidecar.kube.replace import replace
from tests.inject.server.running import (
    SHOP,
    SYSTEM,
    WEBHOOK,
    Injected,
    injecting,
    namespace,
    pod,
    webhook_configuration,
)
from tests.support.apiserver.faults import Call, Fault
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "LEAST_PAUSE", 0.0)
    monkeypatch.setattr(publishing, "TURN", 0.05)


async def until_published(injector: Injected, *places: str) -> None:
    """Wait until caBundle and the ConfigMaps of `places` have the present bundle of the authority."""
    await eventually(lambda: injector.ca_bundles() == {injector.authority.bundle.decode()})
    for place in places:
        await eventually(partial(has_bundle, injector, place))


def has_bundle(injector: Injected, place: str) -> bool:
    return injector.bundle_in(place) == injector.authority.bundle.decode()


def writes_of(injector: Injected, plural: str) -> list[Call]:
    return [call for call in injector.api.calls if call.method != "GET" and f"/{plural}" in call.path]


async def test_every_webhook_and_every_namespace_that_is_opted_in_gets_the_bundle(injector: Injected) -> None:
    await create(injector.kube, NAMESPACES, namespace("quiet", ""))
    await create(injector.kube, NAMESPACES, namespace("late", "monitored"))
    await until_published(injector, SHOP, "late")
    assert injector.bundle_in("quiet") == ""
    assert injector.bundle_in(SYSTEM) == ""
    await merge_patch(injector.kube, NAMESPACES, "quiet", {"metadata": {"labels": {"pilotfish.dev/inject": "all"}}})
    await until_published(injector, "quiet")


async def test_a_namespace_gets_the_bundle_with_its_first_injected_pod(injector: Injected) -> None:
    await create(injector.kube, NAMESPACES, namespace("other", ""))
    chosen = pod(labels={"app": "prices", "pilotfish.dev/inject": "true"})
    assert "patch" in await injector.ask(chosen, namespace="other")
    await until_published(injector, "other")


async def test_the_config_maps_belong_to_the_webhook_configuration(injector: Injected) -> None:
    await until_published(injector, SHOP)
    found = injector.find(CONFIG_MAPS, CONFIG_MAP, SHOP)
    configuration = injector.find(MUTATING_WEBHOOKS, WEBHOOK)
    assert found is not None
    assert configuration is not None
    (owner,) = found["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("MutatingWebhookConfiguration", WEBHOOK)
    assert owner["uid"] == configuration["metadata"]["uid"]
    assert "blockOwnerDeletion" not in owner


async def test_an_injector_is_ready_only_when_the_api_server_was_told_whom_to_trust(api: ApiServer) -> None:
    fault = api.faults.add(Fault(when=lambda call: "mutatingwebhook" in call.path, status=500, retry_after=0))
    async with injecting(api, ready=False) as injector:
        await eventually(lambda: injector.server.port and not injector.server.mirrors.missing())
        assert "caBundle of pilotfish-injector is not written yet" in (await injector.open("/readyz"))[1]
        fault.release()
        await eventually(lambda: not injector.server.not_ready())
        configuration = injector.find(MUTATING_WEBHOOKS, WEBHOOK) or {}
        assert all(webhook["clientConfig"]["caBundle"] for webhook in configuration["webhooks"])


async def test_an_injector_that_may_not_write_the_bundle_serves_and_says_so(api: ApiServer) -> None:
    api.faults.add(Fault(when=lambda call: call.method == "PATCH" and "mutatingwebhook" in call.path, status=403))
    async with injecting(api) as injector:
        assert (await injector.open("/readyz"))[0] == 200
        assert "grant the missing verb" in str(injector.server.problems())


async def test_another_replica_that_is_a_step_behind_is_no_repair(injector: Injected) -> None:
    await until_published(injector, SHOP)
    fields = [{"manager": "pilotfish", "time": "2026-11-29T08:00:00Z"}]
    behind = {"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": "b2xk"}
    managed = {"op": "add", "path": "/metadata/managedFields", "value": fields}
    await json_patch(injector.kube, MUTATING_WEBHOOKS, WEBHOOK, [behind, managed])
    await until_published(injector, SHOP)
    assert injector.server.tallies.repairs == {}


async def test_a_write_that_another_replica_wins_is_no_problem(
    injector: Injected, caplog: pytest.LogCaptureFixture
) -> None:
    await until_published(injector, SHOP)
    found = copy.deepcopy(injector.find(MUTATING_WEBHOOKS, WEBHOOK))
    assert found is not None
    del found["webhooks"][1]["clientConfig"]["caBundle"]
    once = Fault(when=lambda call: call.method == "PATCH" and "mutatingwebhook" in call.path, status=422, times=1)
    injector.api.faults.add(once)
    await replace(injector.kube, MUTATING_WEBHOOKS, found)
    await until_published(injector, SHOP)
    assert not injector.server.problems()
    assert once.hits == 1
    assert "was not written" not in caplog.text


async def test_nothing_is_written_while_nothing_differs(injector: Injected) -> None:
    await until_published(injector, SHOP)
    await injector.server.publisher.publish()
    before = len(writes_of(injector, ""))
    for _ in range(5):
        await injector.server.publisher.publish()
    assert len(writes_of(injector, "")) == before


async def test_a_bundle_that_someone_resets_is_written_again_and_the_writer_is_named(
    injector: Injected, caplog: pytest.LogCaptureFixture
) -> None:
    await until_published(injector, SHOP)
    reset = [{"op": "remove", "path": "/webhooks/1/clientConfig/caBundle"}]
    fields = [{"manager": "argocd-controller", "time": "2026-11-29T08:00:00Z"}]
    managed = {"op": "add", "path": "/metadata/managedFields", "value": fields}
    await json_patch(injector.kube, MUTATING_WEBHOOKS, WEBHOOK, [*reset, managed])
    await merge_patch(injector.kube, CONFIG_MAPS, CONFIG_MAP, {"data": {"ca.crt": "other"}}, SHOP)
    await until_published(injector, SHOP)
    assert injector.server.tallies.repairs == {"webhook": 1, "configmap": 1}
    assert "was changed by 'argocd-controller'" in caplog.text


async def test_a_config_map_that_is_deleted_comes_back_however_soon(injector: Injected) -> None:
    for _ in range(5):
        await until_published(injector, SHOP)
        await delete(injector.kube, CONFIG_MAPS, CONFIG_MAP, SHOP)
    await until_published(injector, SHOP)


async def test_a_webhook_configuration_that_is_installed_again_gets_the_bundle_and_the_config_maps(
    injector: Injected,
) -> None:
    await until_published(injector, SHOP)
    await delete(injector.kube, MUTATING_WEBHOOKS, WEBHOOK)
    made = await create(injector.kube, MUTATING_WEBHOOKS, webhook_configuration())
    await until_published(injector, SHOP)

    def belongs() -> bool:
        found = injector.find(CONFIG_MAPS, CONFIG_MAP, SHOP) or {}
        return made["metadata"]["uid"] in {owner["uid"] for owner in found["metadata"]["ownerReferences"]}

    await eventually(belongs)


async def test_a_conflict_without_end_slows_the_writes_down_and_is_an_error(
    injector: Injected, caplog: pytest.LogCaptureFixture
) -> None:
    await until_published(injector, SHOP)
    for _ in range(publishing.CONFLICTS):
        await eventually(partial(has_bundle, injector, SHOP))
        await merge_patch(injector.kube, CONFIG_MAPS, CONFIG_MAP, {"data": {"ca.crt": "other"}}, SHOP)
    await eventually(lambda: "again and again" in caplog.text)
    assert injector.server.tallies.repairs["configmap"] == publishing.CONFLICTS


async def test_a_write_that_is_refused_is_a_problem_until_it_succeeds(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "AGAIN", 0.0)
    fault = api.faults.add(Fault(when=lambda call: call.method == "PATCH" and "configmaps" in call.path, status=403))
    async with injecting(api) as injector:
        await eventually(lambda: "grant the missing verb" in str(injector.server.problems()))
        assert (await injector.open("/readyz"))[0] == 200
        assert 'pilotfish_ca_outdated{object="configmap"} 1.0' in (await injector.open("/metrics"))[1]
        fault.release()
        await until_published(injector, SHOP)
        await eventually(lambda: not injector.server.problems())


async def test_two_replicas_publish_one_bundle_without_changing_each_others(api: ApiServer) -> None:
    async with injecting(api) as one, injecting(api) as other:
        await until_published(one, SHOP)
        await until_published(other, SHOP)
        assert one.server.tallies.repairs + other.server.tallies.repairs == {}
