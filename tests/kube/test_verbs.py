"""The verbs."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.kube import create, delete, errors, patch, read, replace
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.objects import CONFIG_MAPS

pytestmark = pytest.mark.asyncio


def config_map(name: str, **data: str) -> dict:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_what_is_created_is_read_changed_and_deleted(kube: Kube) -> None:
    made = await create.create(kube, CONFIG_MAPS, config_map("a", key="1"), "default")
    assert made["metadata"]["uid"]
    found = await read.get(kube, CONFIG_MAPS, "a", "default")
    assert found["data"] == {"key": "1"}
    found["data"]["key"] = "2"
    changed = await replace.replace(kube, CONFIG_MAPS, found)
    with pytest.raises(errors.ConflictError):
        await replace.replace(kube, CONFIG_MAPS, found)
    merged = await patch.merge_patch(kube, CONFIG_MAPS, "a", {"data": {"other": "3"}}, "default")
    assert merged["data"] == {"key": "2", "other": "3"}
    assert merged["metadata"]["resourceVersion"] != changed["metadata"]["resourceVersion"]
    await delete.delete(kube, CONFIG_MAPS, "a", "default", uid=made["metadata"]["uid"])
    with pytest.raises(errors.NotFoundError):
        await read.get(kube, CONFIG_MAPS, "a", "default")
