"""metrics.k8s.io is sampled for a while; what it lacks is said, and whatever it answers, nothing raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.kube.errors import ForbiddenError
from pilotfish.sidecar.recommend.sampling import EVERY, sample, usages
from tests.recommend.made import POD_METRICS, measured, pod, workload
from tests.support.apiserver.server import ApiServer
from tests.support.examples import examples

MINUTE = "2026-01-05T10:0{}:00Z"


class Ticker:
    """A clock that only `sleep` moves; each sleep measures the pods anew."""

    def __init__(self, api: ApiServer) -> None:
        self.api, self.now, self.slept = api, 0.0, 0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept += 1
        minute = int(self.now // 60)
        self.api.storage.objects[POD_METRICS, "shop", "0"] = measured(0, f"{300 + minute}m", at=MINUTE.format(minute))


async def sampled(api: ApiServer, seconds: float) -> tuple[list[list[Any]], list[float]]:
    kube, ticker, shares = await api.connect(), Ticker(api), list[float]()
    try:
        found = await sample(
            kube,
            [workload()],
            seconds,
            lambda _what, share: shares.append(share),
            clock=ticker.clock,
            sleep=ticker.sleep,
        )
    finally:
        await kube.close()
    return found, shares


@pytest.mark.asyncio
async def test_each_measurement_counts_once() -> None:
    async with ApiServer() as api:
        api.storage.objects[POD_METRICS, "shop", "0"] = measured(0, at=MINUTE.format(0))
        found, shares = await sampled(api, 300.0)
        asked = len(api.calls)
    assert asked == 300 / EVERY + 1
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [[one.container for one in batch] for batch in found] == [["model", "pilotfish-proxy"]] * 6
    assert [batch[0].cpu_cores for batch in found] == pytest.approx([0.3, 0.301, 0.302, 0.303, 0.304, 0.305])
    assert {one.pod_uid for batch in found for one in batch} == {pod(0)["metadata"]["uid"]}
    assert found[0][0].memory_bytes == 2**30


@pytest.mark.asyncio
async def test_a_cluster_without_metrics_is_named() -> None:
    async with ApiServer(missing={"metrics.k8s.io"}) as api:
        with pytest.raises(UsageError, match="install metrics-server, or give --prometheus"):
            await sampled(api, 60.0)


@pytest.mark.asyncio
async def test_a_missing_right_is_named_at_once() -> None:
    async with ApiServer(allows=lambda user, call: "metrics.k8s.io" not in call.path) as api:
        with pytest.raises(ForbiddenError, match="pods"):
            await sampled(api, 60.0)
        assert len(api.calls) == 1


@pytest.mark.asyncio
async def test_pods_without_metrics_are_no_recommendation() -> None:
    async with ApiServer() as api:
        api.storage.objects[POD_METRICS, "shop", "x"] = measured(0) | {"metadata": {"name": "x", "namespace": "shop"}}
        kube = await api.connect()
        try:
            with pytest.raises(
                UsageError, match=r"metrics\.k8s\.io has no metrics of the 3 pods; check metrics-server"
            ):
                await sample(kube, [workload()], 1e-3, lambda _what, _share: None)
        finally:
            await kube.close()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["a", "1m", "2026-01-05T10:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["items", "metadata", "name", "timestamp", "containers", "usage", "cpu", "memory"]), inner
        )
    ),
    max_leaves=15,
)


@given(JSON)
@settings(max_examples=examples(300))
def test_any_answer_is_read(value: Any) -> None:
    for one in usages(value, {"a": ("uid", workload())}):
        assert one.pod_uid == "uid"
        assert one.cpu_cores is not None or one.memory_bytes is not None
