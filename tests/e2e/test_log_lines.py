"""The log lines of `pilotfish run`, in both formats, and a start from environment variables alone."""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.analyzer.checkpoint import CHECKPOINT_FILE
from tests.control.receiver import Receiver
from tests.e2e.load import loaded, until
from tests.e2e.stack import DOCUMENT, Stack
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

TEXT_LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR) [\w.]+: .+")


def logged(stack: Stack) -> list[dict[str, Any]]:
    """Return the lines of a JSON log; each must be an object with the same fields."""
    lines = stack.run.errors().splitlines(keepends=True)
    found = [json.loads(line) for line in lines if line.endswith("\n")]
    assert all(item.keys() - {"exception"} == {"ts", "level", "logger", "message"} for item in found)
    return found


def has(stack: Stack, *words: str, level: str | None = None) -> bool:
    """Return whether a line of the log has all words and the level."""
    return any(
        all(word in item["message"] for word in words) and level in (None, item["level"]) for item in logged(stack)
    )


@pytest.mark.long
def test_a_start_from_variables_logs_each_event_once_as_json(stack: Stack, receiver: Receiver) -> None:
    receiver.script[:] = ["500", "200"]
    variables = {
        "LISTEN": f"127.0.0.1:{stack.listen}",
        "UPSTREAM": f"127.0.0.1:{stack.upstream}",
        "ADMIN": f"127.0.0.1:{stack.admin}",
        "FILE": stack.folder / "monitor.yaml",
        "STATE": stack.folder / "state",
        "TOKEN_FILE": stack.folder / "token",
        "LOG_FORMAT": "json",
        "LOGLEVEL": "debug",
        "HEALTH": "127.0.0.1:1",  # an option of another command: neither used nor warned about
    }
    stack.child = stack.spawn.pilotfish(
        "run", env={f"PILOTFISH_{name}": str(value) for name, value in variables.items()}
    )
    wait_until(stack.ready, timeout=20, what="readiness")

    async def drift() -> None:
        async with loaded(stack.listen) as load:
            load.shift = 3.0
            await until(lambda: receiver.arrivals[1:], "the second attempt")
            await until(lambda: has(stack, "delivered"), "the delivery")

    asyncio.run(drift())
    stack.kill_analyzer()
    wait_until(lambda: has(stack, "is open since an earlier run"), timeout=20, what="the analyzer process again")
    assert stack.stop() == 0
    assert has(stack, "'PILOTFISH_LOGLEVEL' sets nothing; did you mean PILOTFISH_LOG_LEVEL?", level="warning")
    assert has(stack, f"relaying 127.0.0.1:{stack.listen} to 127.0.0.1:{stack.upstream}", level="info")
    assert has(stack, f"http://127.0.0.1:{stack.admin}/report", level="info")
    assert has(stack, "the profile 'm' version '1' is in force: sha256 ", "20,000 rows, 2 features", level="info")
    assert has(stack, "drift ALARM: features: a rose: mean ", " x what an alarm needs; episode ", level="warning")
    assert has(stack, "the first attempt", receiver.url, "http_500", level="warning")
    assert has(stack, f"delivered to '{receiver.url}' after 2 attempts", level="info")
    assert has(stack, "was killed by SIGKILL", level="warning")
    assert not has(stack, "HEALTH")
    messages = [item["message"] for item in logged(stack)]
    assert sum("ALARM" in text for text in messages) == 1
    assert sum("delivered to" in text and "failed" not in text for text in messages) == 1


@pytest.mark.long
def test_files_that_cannot_be_used_are_logged_when_that_begins_and_ends(stack: Stack, receiver: Receiver) -> None:
    stack.start("--log-format=json")
    wait_until(stack.ready)
    for name, bad, what in (
        ("profile.json", "{", "the profile is not a JSON document"),
        ("monitor.yaml", (DOCUMENT % receiver.url).replace("200ms", "soon"), "$.spec.drift.tick"),
        ("secret", "", "secret file "),
    ):
        before = (stack.folder / name).read_bytes()
        stack.write(name, bad)
        wait_until(partial(has, stack, what, level="warning"), what=f"a line about {name}")
        stack.write(name, before)
        wait_until(partial(has, stack, "no longer: ", what, level="info"), what=f"a line about its end, {name}")
    assert stack.stop() == 0
    assert sum(item["message"].startswith("no longer: ") for item in logged(stack)) == 3


@pytest.mark.long
def test_a_checkpoint_that_cannot_be_written_is_logged_once_until_it_can(stack: Stack) -> None:
    stack.start("--log-format=json")
    wait_until(stack.ready)
    path = stack.folder / "state" / CHECKPOINT_FILE

    async def break_and_mend() -> None:
        async with loaded(stack.listen) as load:
            await until(lambda: load.answered > 20, "answers")
            await until(lambda: replaced(path), "a folder in the place of the checkpoint")
            await until(lambda: has(stack, CHECKPOINT_FILE, "Is a directory", level="warning"), "the failure")
            answered = load.answered
            await until(lambda: load.answered > answered + 300, "more failures")
            path.rmdir()
            await until(lambda: has(stack, "no longer: ", CHECKPOINT_FILE, level="info"), "the end")
        assert load.failures == []

    asyncio.run(break_and_mend())
    assert stack.stop() == 0
    assert sum("Is a directory" in item["message"] for item in logged(stack)) == 2


def replaced(path: Path) -> bool:
    """Put a folder in the place of a file; return whether that succeeded."""
    try:
        path.unlink(missing_ok=True)
        path.mkdir()
    except OSError:
        return False
    return True


@pytest.mark.long
def test_a_document_for_a_cluster_is_not_ready_and_says_so(stack: Stack, receiver: Receiver) -> None:
    stack.write("monitor.yaml", (DOCUMENT % receiver.url).replace("path: profile.json", "configMap: m-profile"))
    stack.start()
    why = "$.spec.profiles[0].configMap (line 8): works in a cluster only; give path"
    wait_until(lambda: why in stack.run.errors(), what="the reason in the log")
    status, body = stack.get("/readyz")
    assert (status, why in json.loads(body)["reason"]) == (503, True)
    assert stack.stop() == 0
    assert all(TEXT_LINE.fullmatch(line) for line in stack.run.errors().splitlines())


def test_each_line_of_a_usage_error_has_the_format_that_was_asked_for(spawn: Children) -> None:
    for arguments in (
        ["run"],
        ["proxy", "--lisen", ":1"],
        ["analyze", "--memory-limit=x"],
        ["run", "--log-level=loud"],
    ):
        child = spawn.pilotfish(*arguments, env={"PILOTFISH_LOG_FORMAT": "json"})
        assert child.process.wait(timeout=patient(20)) == 2
        (line,) = child.errors().splitlines()
        found = json.loads(line)
        assert (found["level"], found["logger"]) == ("error", f"pilotfish.{arguments[0]}")
