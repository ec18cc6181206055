"""States in ConfigMaps: compare-and-swap, parts, damage, and an API server that fails at any request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control import configmaps
from pilotfish.sidecar.control.configmaps import ConfigMapStore
from pilotfish.sidecar.control.errors import StoreConflictError, StoreError
from pilotfish.sidecar.kube.objects import CONFIG_MAPS
from pilotfish.sidecar.kube.read import get, list_all
from pilotfish.sidecar.kube.replace import replace
from tests.support.apiserver.faults import Fault, writes
from tests.support.apiserver.server import ApiServer
from tests.support.examples import examples

SMALL = b"state " * 100
LARGE = random.Random(1).randbytes(5000)  # not compressible
OTHER = random.Random(2).randbytes(4000)


@asynccontextmanager
async def stores() -> AsyncIterator[tuple[ApiServer, ConfigMapStore, ConfigMapStore]]:
    async with ApiServer() as api:
        kube = await api.connect()
        try:
            yield api, *(ConfigMapStore(kube, "pilotfish", {"app": "pilotfish"}) for _ in range(2))  # type: ignore[misc]  # two stores
        finally:
            await kube.close()


def run(test: Callable[[ApiServer, ConfigMapStore, ConfigMapStore], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with stores() as (api, one, other):
            await test(api, one, other)

    asyncio.run(whole())


async def names(api: ApiServer) -> list[str]:
    kube = await api.connect()
    found, _ = await list_all(kube, CONFIG_MAPS, "pilotfish", label_selector="app=pilotfish")
    await kube.close()
    return sorted(one["metadata"]["name"] for one in found)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configmaps, "PART_BYTES", 1000)


def test_a_state_is_saved_loaded_and_deleted_whatever_its_size() -> None:
    async def test(api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        revision = ""
        assert await one.load("u-k") is None
        for data in (SMALL, LARGE, OTHER, b"", SMALL):
            revision = await one.save("u-k", data, revision)
            found = await other.load("u-k")
            assert found is not None
            assert (found.data, found.revision) == (data, revision)
            assert len(await names(api)) == {LARGE: 7, OTHER: 6}.get(data, 1)
        revision = await one.save("u-k", LARGE, revision)
        await other.delete("u-k")
        await other.delete("u-k")
        assert await names(api) == []

    run(test)


@pytest.mark.parametrize("first", [SMALL, LARGE])
@pytest.mark.parametrize("second", [SMALL + b"2", OTHER])
def test_of_two_writers_one_loses_and_leaves_nothing(first: bytes, second: bytes) -> None:
    async def test(api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        revision = await one.save("u-k", b"before", "")
        found = await other.load("u-k")
        assert found is not None
        await one.save("u-k", first, revision)
        kept = await names(api)
        for stale in (found.revision, ""):
            with pytest.raises(StoreConflictError, match="another process has written it"):
                await other.save("u-k", second, stale)
        assert await names(api) == kept
        again = await other.load("u-k")
        assert again is not None
        assert again.data == first
        await other.save("u-k", second, again.revision)

    run(test)


def test_a_deleted_state_is_a_conflict_for_its_writer() -> None:
    async def test(_api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        revision = await one.save("u-k", SMALL, "")
        await other.delete("u-k")
        with pytest.raises(StoreConflictError):
            await one.save("u-k", SMALL, revision)

    run(test)


@settings(max_examples=examples(25), deadline=None)
@given(st.integers(0, 12), st.sampled_from(("before", "after", "status")), st.sampled_from((SMALL, LARGE)))
@example(6, "after", LARGE)  # the client sends the head again, and its own first request is in the way
def test_after_a_failure_at_any_request_the_old_or_the_new_state_is_loaded(at: int, how: str, data: bytes) -> None:
    async def test(api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        revision = await one.save("u-k", OTHER, "")
        seen = iter(range(1 << 30))
        fault = Fault(when=lambda call: writes(call) and next(seen) == at, times=1)
        fault.status = 500 if how == "status" else 0
        fault.drop = how if how in {"before", "after"} else None  # type: ignore[assignment]  # narrowed
        api.faults.add(fault)
        saved = True
        try:
            await one.save("u-k", data, revision)
        except StoreError:
            saved = False
        api.faults.end()
        found = await other.load("u-k")
        assert found is not None
        assert found.data in ({data} if saved else {data, OTHER})
        await other.save("u-k", SMALL, found.revision)

    run(test)


@pytest.mark.parametrize(
    "damage",
    [
        {"binaryData": {"state": "AAAA"}},
        {"binaryData": {"state": "x"}},
        {"binaryData": None},
        {"data": {"parts": "{}"}},
        {"data": {"parts": "["}},
        {"data": {"parts": '["pilotfish-gone"]'}},
    ],
)
def test_a_damaged_state_is_an_error_with_a_remedy_and_never_an_empty_one(damage: dict[str, object]) -> None:
    async def test(api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        await one.save("u-k", SMALL, "")
        kube = await api.connect()
        head = await get(kube, CONFIG_MAPS, "pilotfish-u-k", "pilotfish")
        await replace(kube, CONFIG_MAPS, head | damage)
        await kube.close()
        with pytest.raises(StoreError, match=r"pilotfish-u-k.*(damaged|missing)"):
            await other.load("u-k")

    run(test)


def test_an_expanding_state_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(_api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        await one.save("u-k", bytes(100_000), "")
        monkeypatch.setattr(configmaps, "MAX_STATE_BYTES", 99_999)
        with pytest.raises(StoreError, match="too large"):
            await other.load("u-k")

    run(test)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "in parts"])
def test_a_write_that_is_sent_twice_is_one_write(data: bytes) -> None:
    async def test(api: ApiServer, one: ConfigMapStore, other: ConfigMapStore) -> None:
        revision = await one.save("u-k", OTHER, "")
        api.faults.add(Fault(when=lambda call: call.method == "PUT", drop="after", times=1))
        found = await one.save("u-k", data, revision)
        loaded = await other.load("u-k")
        assert loaded is not None
        assert (loaded.data, loaded.revision) == (data, found)

    run(test)
