"""`GET /v1/scale/NAMESPACE/MONITOR`: who may read the number, and when there is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.callers.errors import RefusedRequestError
from pilotfish.sidecar.control.manager.server.backend import ScaleAnswer
from pilotfish.sidecar.control.manager.server.scaling import scale_body
from tests.control.server.made import MONITOR, NAMESPACE, SmallBackend, serving
from tests.support.examples import examples

PATH = f"/v1/scale/{NAMESPACE}/{MONITOR}"
RIGHT = ("system:serviceaccount:shop:keda", "get scale", NAMESPACE, MONITOR)
FIVE = ScaleAnswer(desired=5, current=3, reason="scaling", message="concurrency wants 5", at=100.0)


async def read(answer: ScaleAnswer | None, path: str = PATH, caller: str | None = "keda") -> tuple[int, Any, str]:
    """Return status, body and Retry-After of a read by a caller who has the right on the monitor of PATH."""
    scales = {} if answer is None else {(NAMESPACE, MONITOR): answer}
    async with serving(SmallBackend(scales=scales)) as served:
        served.reviews.rights.add(RIGHT)
        status, raw, headers = await served.send("GET", path, caller=caller, headers={})
        _, metrics, _ = await served.send("GET", "/metrics", headers={})
        assert f'path="{path}"' not in metrics.decode()  # names in paths are no labels
        return status, json.loads(raw), headers.get("Retry-After", "")


@pytest.mark.asyncio
async def test_a_caller_with_the_right_reads_the_desired_replicas() -> None:
    status, body, _ = await read(FIVE)
    assert status == 200
    expected = {"currentReplicas": 3, "reason": "scaling", "message": "concurrency wants 5", "at": 100.0}
    assert body == {"desiredReplicas": 5, **expected}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        (ScaleAnswer(reason="stale", problem="no pod has sent signals for 60 s; check them"), 503, "no pod has sent"),
        (ScaleAnswer(desired=5, reason="stale", problem="the facts are old; check the API server"), 503, "old"),
        (ScaleAnswer(), 503, "none was computed yet"),
        (None, 404, "no ModelMonitor"),
    ],
)
async def test_there_is_no_number_unless_it_is_current(answer: ScaleAnswer | None, status: int, text: str) -> None:
    found, body, wait = await read(answer)
    assert (found, wait) == (status, "15" if status == 503 else "")
    assert text in body["error"]
    assert "desiredReplicas" not in body


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "caller", "status", "text"),
    [
        (PATH, None, 401, "no bearer token"),
        (PATH, "labeller", 403, "no right to get modelmonitors/scale"),
        (PATH, "pod-1", 403, "no right to get"),
        ("/v1/scale/other/prices", "keda", 403, "no right"),
        ("/v1/scale/", "keda", 404, "unknown path"),
        ("/v1/scale/shop", "keda", 404, "unknown path"),
        (PATH + "/", "keda", 404, "unknown path"),
        ("/v1/scale/shop/..", "keda", 404, "unknown path"),
        ("/v1/scale/shop/%2e%2e%2fx", "keda", 404, "unknown path"),
        ("/v1/scale/Shop/prices", "keda", 404, "unknown path"),
    ],
)
async def test_other_callers_and_paths_get_no_number(path: str, caller: str | None, status: int, text: str) -> None:
    found, body, _ = await read(FIVE, path, caller)
    assert (found, text in body["error"]) == (status, True), body


@pytest.mark.asyncio
async def test_the_number_is_only_read() -> None:
    async with serving(SmallBackend(scales={(NAMESPACE, MONITOR): FIVE})) as served:
        status, _, headers = await served.post(PATH, b"", "keda")
        assert (status, headers["Allow"]) == (405, "GET")


@settings(max_examples=examples(200))
@given(
    st.one_of(st.none(), st.integers(0, 10**6)),
    st.sampled_from(["", "no_signals"]),
    st.sampled_from(["", "the signals are missing; check the pods"]),
)
def test_a_body_has_a_number_exactly_if_nothing_is_wrong(desired: int | None, reason: str, problem: str) -> None:
    answer = ScaleAnswer(desired=desired, reason=reason, problem=problem)
    if desired is not None and not problem:
        assert scale_body(answer)["desiredReplicas"] == desired
        return
    with pytest.raises(RefusedRequestError) as refused:
        scale_body(answer)
    assert (refused.value.status, bool(refused.value.reason)) == (503, True)
