"""Learning: a first profile from the first rows, which survives crashes, and a new one at a person's request."""

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


@pytest.mark.timeout(150)  # seconds; two builds at the lowest priority, on processors that other tests use
@pytest.mark.long
def test_a_first_profile_is_learned_and_a_new_one_on_request(stack: Stack) -> None:
    stack.write("monitor.yaml", DOCUMENT)
    stack.start()

    async def run() -> None:
        async with loaded(stack.listen) as load:
            await until(lambda: learning(stack).get("rows", 0) > 300, "the first rows")
            stack.kill_analyzer()
            await until(lambda: learning(stack).get("rows", 0) > 600, "more rows")
            assert learning(stack)["tries"] == 1
            await until(lambda: in_force(stack), "a profile", 60)
            first = in_force(stack)
            stack.kill_analyzer()
            await until(lambda: in_force(stack) == first, "the same profile after a kill")
            await until(lambda: not learning(stack), "the end of learning")
            load.shift = 3.0
            await until(stack.episodes, "the alarm")
            status, body = stack.get("/rebaseline", "POST", b'{"by": "ann", "reason": "new prices", "rows": 1000}')
            assert status == 202, body
            assert stack.get("/rebaseline", "POST", b'{"by": "bob", "reason": "too", "rows": 1000}')[0] == 409
            stack.kill_analyzer()
            await until(lambda: in_force(stack) not in ("", first), "the new profile", 60)
            await until(
                lambda: len(stack.report()["decisions"]) == 3 and not learning(stack), "the end of the rebaseline"
            )
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
