"""Unusable documents and profiles, at the start and later: traffic passes, and the reason is reported."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.control.receiver import Receiver
from tests.e2e.conftest import profile_of
from tests.e2e.load import loaded, until
from tests.e2e.stack import DOCUMENT, Stack, total
from tests.support.waiting import wait_until


def send_requests(stack: Stack) -> int:
    """Send a few requests and return how many were answered; all answers must be correct."""

    async def run() -> int:
        async with loaded(stack.listen, clients=2) as load:
            await until(lambda: load.answered > 20, "answers")
        assert load.failures == []
        return load.answered

    return asyncio.run(run())


def idle_reason(stack: Stack) -> str:
    """Return why the analyzer process is idle; empty while it is not idle or does not answer."""
    status, body = stack.get("/readyz")
    return str(json.loads(body).get("reason", "")) if status == 503 else ""


def warnings(stack: Stack) -> str:
    return " ".join(stack.report().get("warnings", []))


BAD_DOCUMENT = DOCUMENT.replace("tick: 200ms", "tick: soon")


@pytest.mark.long
def test_a_bad_document_at_the_start_leaves_it_idle_until_it_is_fixed(stack: Stack, receiver: Receiver) -> None:
    stack.write("monitor.yaml", BAD_DOCUMENT % receiver.url)
    stack.start()
    why = wait_until(lambda: idle_reason(stack), what="the reason")
    assert "$.spec.drift.tick" in why
    assert "soon" in why
    count = send_requests(stack)
    proxy = stack.pid("proxy")
    stack.write("monitor.yaml", DOCUMENT % receiver.url)
    wait_until(stack.ready, timeout=20, what="the fixed document in force")
    assert stack.pid("proxy") == proxy
    assert total(stack.metrics(), "pilotfish_exchanges_seen_total") == count
    assert stack.stop() == 0


@pytest.mark.long
def test_a_bad_document_later_leaves_the_previous_one_in_force(stack: Stack, receiver: Receiver) -> None:
    stack.start()
    wait_until(stack.ready)
    analyzer = stack.pid("analyzer")
    stack.write("monitor.yaml", BAD_DOCUMENT % receiver.url)
    assert "$.spec.drift.tick" in wait_until(lambda: warnings(stack), what="the warning")
    assert stack.ready()
    send_requests(stack)
    assert stack.pid("analyzer") == analyzer
    stack.write("monitor.yaml", DOCUMENT % receiver.url)
    wait_until(lambda: not warnings(stack), what="the warning's end")
    assert stack.pid("analyzer") == analyzer
    assert stack.stop() == 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"{", "profile.json"), (profile_of(1, version="2"), "'2'")],
    ids=["not-json", "of-another-version"],
)
def test_a_bad_profile_at_the_start_leaves_it_idle(stack: Stack, content: bytes, expected: str) -> None:
    good = (stack.folder / "profile.json").read_bytes()
    stack.write("profile.json", content)
    stack.start()
    assert expected in wait_until(lambda: idle_reason(stack), what="the reason")
    send_requests(stack)
    stack.write("profile.json", good)
    wait_until(stack.ready, timeout=20, what="the fixed profile in force")
    assert stack.stop() == 0


def in_force(stack: Stack) -> str:
    """Return the hash of the profile in force, empty without one."""
    return str((stack.report().get("profile") or {}).get("hash", ""))


@pytest.mark.long
def test_a_new_profile_is_put_into_force_or_refused_with_both_versions_named(stack: Stack) -> None:
    stack.start()
    wait_until(stack.ready)
    first = in_force(stack)
    stack.write("profile.json", profile_of(1, version="2"))
    assert "'2'" in wait_until(lambda: warnings(stack), what="the warning")
    assert in_force(stack) == first
    stack.write("profile.json", profile_of(2))
    second = wait_until(lambda: {in_force(stack)} - {first, ""}, what="the new profile in force").pop()
    wait_until(lambda: not warnings(stack), what="the warning's end")
    status, body = stack.get("/profile", "PUT", profile_of(3, version="9"))
    assert status == 409, body
    assert b"'9'" in body
    assert stack.get("/profile", "PUT", b"{}")[0] in {400, 409, 422}
    assert in_force(stack) == second
    assert stack.get("/profile", "PUT", profile_of(3))[0] == 200
    third = wait_until(lambda: {in_force(stack)} - {second, ""}, what="the profile of PUT /profile").pop()
    stack.kill_analyzer()
    wait_until(lambda: in_force(stack) == third, what="the profile of PUT /profile, after a restart")
    assert stack.stop() == 0
