"""The verbs, against both API servers."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.kube import errors
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, LEASES, NAMESPACES, SERVICE_ACCOUNTS, TOKEN_REVIEWS, Resource
from pilotfish.sidecar.kube.patch import apply, json_patch, merge_patch
from pilotfish.sidecar.kube.read import get, list_all
from pilotfish.sidecar.kube.replace import replace
from tests.kube.conftest import Cluster
from tests.support.apiserver.faults import Fault
from tests.support.apiserver.server import ApiServer

pytestmark = pytest.mark.asyncio


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels or {}}, "data": data}


async def test_a_created_object_is_read_and_deleted(cluster: Cluster) -> None:
    made = await create(cluster.kube, CONFIG_MAPS, config_map("a", key="1"), cluster.namespace)
    found = await get(cluster.kube, CONFIG_MAPS, "a", cluster.namespace)
    assert (found["data"], found["metadata"]["uid"]) == ({"key": "1"}, made["metadata"]["uid"])
    await delete(cluster.kube, CONFIG_MAPS, "a", cluster.namespace)
    with pytest.raises(errors.NotFoundError) as raised:
        await get(cluster.kube, CONFIG_MAPS, "a", cluster.namespace)
    assert raised.value.status == 404
    assert not raised.value.retryable


async def test_a_name_is_taken_once(cluster: Cluster) -> None:
    await create(cluster.kube, CONFIG_MAPS, config_map("a"), cluster.namespace)
    with pytest.raises(errors.AlreadyExistsError):
        await create(cluster.kube, CONFIG_MAPS, config_map("a"), cluster.namespace)


async def test_a_generated_name_begins_as_asked(cluster: Cluster) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}
    made = await create(cluster.kube, CONFIG_MAPS, body, cluster.namespace)
    assert made["metadata"]["name"].startswith("a-")
    assert len(made["metadata"]["name"]) > 2


async def test_an_object_is_replaced_only_as_it_was_read(cluster: Cluster) -> None:
    made = await create(cluster.kube, CONFIG_MAPS, config_map("a", key="1"), cluster.namespace)
    changed = await replace(cluster.kube, CONFIG_MAPS, {**made, "data": {"key": "2"}})
    assert changed["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    with pytest.raises(errors.ConflictError):
        await replace(cluster.kube, CONFIG_MAPS, {**made, "data": {"key": "3"}})


async def test_a_replacement_without_a_resource_version_is_not_sent(cluster: Cluster) -> None:
    await create(cluster.kube, CONFIG_MAPS, config_map("a", key="1"), cluster.namespace)
    with pytest.raises(errors.InvalidError, match="resourceVersion"):
        await replace(cluster.kube, CONFIG_MAPS, config_map("a", key="2"))


async def test_a_replacement_that_changes_nothing_keeps_the_resource_version(cluster: Cluster) -> None:
    made = await create(cluster.kube, CONFIG_MAPS, config_map("a", key="1"), cluster.namespace)
    assert (await replace(cluster.kube, CONFIG_MAPS, made))["metadata"] == made["metadata"]


async def test_a_merge_patch_changes_sets_and_removes(cluster: Cluster) -> None:
    made = await create(cluster.kube, CONFIG_MAPS, config_map("a", one="1", two="2"), cluster.namespace)
    body = {"data": {"one": None, "two": "3", "three": "4"}}
    patched = await merge_patch(cluster.kube, CONFIG_MAPS, "a", body, cluster.namespace)
    assert patched["data"] == {"two": "3", "three": "4"}
    stale = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "data": {"two": "5"}}
    with pytest.raises(errors.ConflictError):
        await merge_patch(cluster.kube, CONFIG_MAPS, "a", stale, cluster.namespace)


async def test_a_json_patch_tests_before_it_changes(cluster: Cluster) -> None:
    await create(cluster.kube, CONFIG_MAPS, config_map("a", key="1"), cluster.namespace)
    operations = [{"op": "test", "path": "/data/key", "value": "1"}, {"op": "add", "path": "/data/other", "value": "2"}]
    patched = await json_patch(cluster.kube, CONFIG_MAPS, "a", operations, cluster.namespace)
    assert patched["data"] == {"key": "1", "other": "2"}
    with pytest.raises(errors.InvalidError):
        await json_patch(
            cluster.kube, CONFIG_MAPS, "a", [{"op": "test", "path": "/data/key", "value": "2"}], cluster.namespace
        )


async def test_an_applied_field_belongs_to_its_manager(cluster: Cluster) -> None:
    body = config_map("a", one="1", two="2")
    body["metadata"] = {"name": "a", "namespace": cluster.namespace}
    made = await apply(cluster.kube, CONFIG_MAPS, body, field_manager="first")
    assert made["data"] == {"one": "1", "two": "2"}
    other = {**body, "data": {"two": "3"}}
    with pytest.raises(errors.ConflictError):
        await apply(cluster.kube, CONFIG_MAPS, other, field_manager="second")
    forced = await apply(cluster.kube, CONFIG_MAPS, other, field_manager="second", force=True)
    assert forced["data"] == {"one": "1", "two": "3"}
    less = await apply(cluster.kube, CONFIG_MAPS, {**body, "data": {}}, field_manager="first")
    assert less["data"] == {"two": "3"}


async def test_a_deletion_spares_a_successor_with_another_uid(cluster: Cluster) -> None:
    made = await create(cluster.kube, CONFIG_MAPS, config_map("a"), cluster.namespace)
    await delete(cluster.kube, CONFIG_MAPS, "a", cluster.namespace)
    await create(cluster.kube, CONFIG_MAPS, config_map("a"), cluster.namespace)
    with pytest.raises(errors.ConflictError):
        await delete(cluster.kube, CONFIG_MAPS, "a", cluster.namespace, uid=made["metadata"]["uid"])
    assert await get(cluster.kube, CONFIG_MAPS, "a", cluster.namespace)


async def test_a_list_is_read_in_pages_and_by_labels(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pilotfish.sidecar.kube.read.PAGE", 2)
    for number in range(5):
        body = config_map(f"a{number}", {"odd": str(number % 2), "group": "x"})
        await create(cluster.kube, CONFIG_MAPS, body, cluster.namespace)

    async def names(labels: str = "group=x", fields: str = "") -> list[str]:
        found = await list_all(
            cluster.kube, CONFIG_MAPS, cluster.namespace, label_selector=labels, field_selector=fields
        )
        return [item["metadata"]["name"] for item in found[0]]

    assert await names() == ["a0", "a1", "a2", "a3", "a4"]
    assert await names("odd=1") == ["a1", "a3"]
    assert await names("odd in (0,2),group") == ["a0", "a2", "a4"]
    assert await names("odd notin (1),!absent,group=x") == ["a0", "a2", "a4"]
    assert await names("odd!=1,group=x", "metadata.name!=a0") == ["a2", "a4"]
    assert await names(fields="metadata.name=a3") == ["a3"]


async def test_a_list_whose_page_expires_is_read_in_one_piece(
    api: ApiServer, kube: Kube, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilotfish.sidecar.kube.read.PAGE", 2)
    for number in range(5):
        await create(kube, CONFIG_MAPS, config_map(f"a{number}"), "default")
    api.faults.add(Fault(when=lambda call: "continue" in call.query, status=410))
    items, version = await list_all(kube, CONFIG_MAPS, "default")
    assert [item["metadata"]["name"] for item in items] == ["a0", "a1", "a2", "a3", "a4"]
    assert version == items[-1]["metadata"]["resourceVersion"]


async def test_a_kind_that_is_not_installed_is_not_found(cluster: Cluster) -> None:
    kind = Resource("absent.example", "v1", "things")
    if cluster.api:
        cluster.api.missing.add(kind.group)
    with pytest.raises(errors.NotFoundError):
        await list_all(cluster.kube, kind, cluster.namespace)


async def test_a_lease_is_replaced_only_with_a_resource_version(cluster: Cluster) -> None:
    body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "a"}, "spec": {}}
    await create(cluster.kube, LEASES, body, cluster.namespace)
    with pytest.raises(errors.InvalidError):
        await cluster.kube.request("PUT", LEASES.path(cluster.namespace, "a"), body=body)


async def test_a_config_map_is_at_most_one_mebibyte(cluster: Cluster) -> None:
    with pytest.raises(errors.InvalidError):
        await create(cluster.kube, CONFIG_MAPS, config_map("a", key="x" * (1024 * 1024 + 1)), cluster.namespace)


async def test_a_message_shows_the_beginning_of_the_servers_own(cluster: Cluster) -> None:
    body = config_map("a")
    body["metadata"]["labels"] = {"key": "not a label " * 1000}
    if not cluster.api:
        with pytest.raises(errors.InvalidError, match="422 Invalid") as raised:
            await create(cluster.kube, CONFIG_MAPS, body, cluster.namespace)
        assert len(str(raised.value)) < 600


async def test_a_token_is_valid_for_its_audience(cluster: Cluster) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}}
    await create(cluster.kube, SERVICE_ACCOUNTS, account, cluster.namespace)
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["pilotfish"]}}
    made = await create(cluster.kube, SERVICE_ACCOUNTS, body, cluster.namespace, name="a", subresource="token")

    async def review(token: str, audience: str) -> dict[str, Any]:
        spec = {"token": token, "audiences": [audience]}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}
        status: dict[str, Any] = (await create(cluster.kube, TOKEN_REVIEWS, body))["status"]
        return status

    good = await review(made["status"]["token"], "pilotfish")
    assert good["authenticated"]
    assert good["audiences"] == ["pilotfish"]
    assert good["user"]["username"] == f"system:serviceaccount:{cluster.namespace}:a"
    assert not (await review(made["status"]["token"], "another")).get("authenticated")
    assert not (await review("no token", "pilotfish")).get("authenticated")


async def test_an_object_without_a_namespace_has_a_short_path(cluster: Cluster) -> None:
    if not cluster.api:
        assert (await get(cluster.kube, NAMESPACES, cluster.namespace))["metadata"]["name"] == cluster.namespace
