"""The examples work: every command of their READMEs, in a copy of the folder."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import mlserver
from tests.e2e.pasted import EXAMPLES, Pasted, copied, steps
from tests.e2e.stack import Stack
from tests.support.processes import Children
from tests.support.programs import needs
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, needs("bash", "curl")]
README = EXAMPLES.parents[1] / "README.md"
STAND_IN = shlex.join([sys.executable, mlserver.__file__])


def follow(example: Pasted) -> dict[str, Any]:
    """Paste every command of the README; return the report once nothing is queued."""
    for step in steps((example.folder / "README.md").read_text()):
        example.paste(step)
    return example.stack.report()


def rows(stack: Stack) -> dict[str, int]:
    """Return the measured rows of each side."""
    return {entry["side"]: entry["rows"] for entry in stack.report().get("rows", [])}


def watched(stack: Stack) -> int:
    """Return the exchanges that were measured, or that the sampler left out because they came too fast."""
    fates = stack.report()["accounting"]["fates"]
    return sum(entry["exchanges"] for entry in fates if entry["fate"] in {"measured", "sampled_out"})


def sees_all(stack: Stack) -> bool:
    """Return whether Pilotfish is ready, and reports no blind spot."""
    return stack.ready() and stack.report().get("blind") == []


def test_a_fastapi_service_with_its_own_json(tmp_path: Path, spawn: Children) -> None:
    example = copied("fastapi", tmp_path, spawn)
    follow(example)
    wait_until(lambda: rows(example.stack) == {"input": 2501, "prediction": 2501}, what="all rows of both sides")
    assert sees_all(example.stack)
    wait_until(lambda: "age" in str(example.stack.episodes()), timeout=25, what="the alarm that the README promises")


def test_the_quick_path_of_the_readme(tmp_path: Path, spawn: Children) -> None:
    example = copied("fastapi", tmp_path, spawn)
    quick = README.read_text().partition("\n## Use\n")[2].partition("\n## ")[0]
    assert "cd docs/examples/fastapi" in quick
    for step in steps(quick.replace("cd docs/examples/fastapi\n", "")):
        example.paste(step)
    wait_until(lambda: rows(example.stack) == {"input": 1001, "prediction": 1001}, what="all rows of both sides")
    assert sees_all(example.stack)


def test_a_service_of_one_row_a_request(tmp_path: Path, spawn: Children) -> None:
    example = copied("one-row", tmp_path, spawn)
    follow(example)
    wait_until(lambda: example.stack.report().get("state") == "watching", timeout=30, what="the learned profile")
    wait_until(lambda: watched(example.stack) == 1201, what="every request to be measured or left out by the sampler")
    assert rows(example.stack)["prediction"] == rows(example.stack)["input"] > 1000
    assert sees_all(example.stack)


def test_a_language_model(tmp_path: Path, spawn: Children) -> None:
    example = copied("llm", tmp_path, spawn)
    follow(example)

    def tokens() -> dict[str, Any]:
        found = example.stack.report()["resources"]["tokens"]
        return found[0] if found else {}

    streams = {"stream": 33 + 1}  # of the last 100 requests
    wait_until(lambda: (tokens().get("exchanges"), tokens().get("unknown")) == (300, streams), what="all counts")
    found = tokens()
    assert found["counted"] == 300 - found["unknown"]["stream"]
    assert found["estimated_prompt"] > found["prompt"] > 0
    assert 0 < found["error_ratio"] < 0.5
    assert found["cost_per_million"] > 0
    assert "include_usage" in found["advice"]
    assert sees_all(example.stack)


def check_mlserver(example: Pasted) -> None:
    follow(example)
    wait_until(lambda: rows(example.stack) == {"input": 1000, "prediction": 1000}, what="all rows of both sides")
    assert sees_all(example.stack)


def test_mlserver_as_far_as_its_protocol_goes(tmp_path: Path, spawn: Children) -> None:
    replaced = {"python3 train.py": f"{STAND_IN} train train.csv", "mlserver start": f"{STAND_IN} serve 8000"}
    check_mlserver(copied("mlserver", tmp_path, spawn, replaced))


def test_every_example_has_a_test() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    names = {
        "alertmanager", "autoscalers", "cluster", "compose", "fastapi", "kubernetes", "llm", "mlserver", "one-row",
        "pool", "resizing", "scaling", "systemd",
    }  # fmt: skip
    assert folders == names
