"""Without a profile: one is learnt from the first rows, survives kills, and is learnt anew when a person says so."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.load import loaded, until
from tests.e2e.stack import Stack, total

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m, version: "1"}
  profiles: [{learn: {rows: 2000}}]
  traffic: {keepRows: {rows: 500, mask: [b]}}
  drift: {tick: 200ms}
"""


def learning(stack: Stack) -> dict[str, Any]:
    return stack.report().get("learning") or {}


def in_force(stack: Stack) -> str:
    return str((stack.report().get("profile") or {}).get("hash", ""))


def audit(stack: Stack) -> list[tuple[str, str, str]]:
    lines = (stack.folder / "state" / "audit.jsonl").read_text().splitlines()
    return [(found["action"], found["outcome"], found["by"]) for found in map(json.loads, lines)]


@pytest.mark.timeout(150)  # two builds, at the lowest priority, where others keep the processors busy
def test_a_first_profile_is_learnt_and_a_new_one_when_a_person_says_so(stack: Stack) -> None:
    stack.write("monitor.yaml", DOCUMENT)
    stack.start()

    async def run() -> None:
        async with loaded(stack.listen) as load:
            await until(lambda: learning(stack).get("rows", 0) > 300, "the first rows")
            stack.kill_member()
            await until(lambda: learning(stack).get("rows", 0) > 600, "more of them")
            assert learning(stack)["tries"] == 1
            await until(lambda: in_force(stack), "a profile", 60)
            first = in_force(stack)
            stack.kill_member()
            await until(lambda: in_force(stack) == first, "the same profile after a kill")
            await until(lambda: not learning(stack), "the end of learning")
            load.shift = 3.0
            await until(stack.episodes, "the alarm")
            status, body = stack.get("/rebaseline", "POST", b'{"by": "ann", "reason": "new prices", "rows": 1000}')
            assert status == 202, body
            assert stack.get("/rebaseline", "POST", b'{"by": "bob", "reason": "too", "rows": 1000}')[0] == 409
            stack.kill_member()
            await until(lambda: in_force(stack) not in ("", first), "the new normal", 60)
            await until(lambda: len(stack.report()["decisions"]) == 3 and not learning(stack), "the end of it")
            assert stack.episodes() == []
            assert {item["closed_by"] for item in stack.episodes(opened=False)} == {"rebaseline"}
        assert load.failures == []

    asyncio.run(run())
    assert audit(stack) == [
        ("learn", "in_force", ""),
        ("rebaseline", "begun", "ann"),
        ("rebaseline", "in_force", "ann"),
    ]
    assert [item["by"] for item in stack.report()["decisions"]] == ["", "ann", "ann"]
    rows = stack.get("/rows")[1].splitlines()
    assert len(rows) == 500
    assert list(json.loads(rows[0])["inputs"]) == ["a"]
    assert list(json.loads(rows[0])["outputs"]) == ["y"]
    assert total(stack.metrics(), "pilotfish_kept_rows", store="recent") >= 500
    assert [
        path.name.split(".")[0] for path in (stack.folder / "state" / "rows").iterdir() if "learning" in path.name
    ] == []
    assert stack.stop() == 0
