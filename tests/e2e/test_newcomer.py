"""A FastAPI service with its own JSON, as docs/examples has it: common clients get its answers, and all is measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests

from tests.e2e.pasted import EXAMPLES
from tests.e2e.seen import readyz
from tests.e2e.stack import TOKEN, Stack
from tests.support.ports import accepts, free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

SERVICE = EXAMPLES / "fastapi"
ROWS = [{"age": 31, "income": 5351, "city": "Basel"}, {"age": 45, "income": 3847, "city": "Bern"}]
SCORES = [{"score": 0.5176}, {"score": 0.4228}]
BUILD = ["--model", "loans", "--version", "1", "--prediction", "score", "--label", "repaid", "--exchangeable"]


@pytest.fixture
def stack(tmp_path: Path, spawn: Children) -> Stack:
    """A stack that is ready, in front of uvicorn."""
    stack = Stack(tmp_path, spawn, free_port(), free_port(), free_port())
    uvicorn = [sys.executable, "-B", "-m", "uvicorn", "service:app", "--port", str(stack.upstream)]
    spawn(*uvicorn, cwd=SERVICE)
    data, profile = SERVICE / "reference.csv", tmp_path / "profile.json"
    built = spawn.pilotfish("profile", "build", data, *BUILD, "--tick", "10s", "--out", profile)
    assert built.process.wait(timeout=patient(20)) == 0
    stack.write("monitor.yaml", (SERVICE / "monitor.yaml").read_text())
    stack.write("token", TOKEN)
    stack.start()
    wait_until(lambda: accepts(stack.upstream), what="the service")
    wait_until(stack.ready, what="Pilotfish to be ready")
    return stack


def ask_httpx(url: str, body: dict[str, Any]) -> Any:
    return httpx.post(url, json=body, timeout=patient(10), trust_env=False).json()


def ask_requests(url: str, body: dict[str, Any]) -> Any:
    return requests.post(url, json=body, timeout=patient(10), proxies={"http": ""}).json()


CLIENTS: dict[str, Callable[[str, dict[str, Any]], Any]] = {"httpx": ask_httpx, "requests": ask_requests}


@pytest.mark.long
def test_every_row_of_a_service_with_its_own_json_is_measured(stack: Stack) -> None:
    for name, ask in CLIENTS.items():
        body = {"rows": ROWS, "id": name}
        answer = ask(f"http://127.0.0.1:{stack.listen}/score", body)
        assert answer == ask(f"http://127.0.0.1:{stack.upstream}/score", body) == {"results": SCORES, "id": name}
    expected = {"input": 4, "prediction": 4}
    wait_until(lambda: {entry["side"]: entry["rows"] for entry in stack.report()["rows"]} == expected, what="all rows")
    labels = b'{"feedback": [{"id": "httpx", "labels": [1, 0]}, {"id": "requests", "row": 1, "label": 0}]}'
    _, outcome = stack.get("/v1/feedback", "POST", labels, content_type="application/json")
    assert json.loads(outcome)["judged"] == 3, outcome
    assert readyz(stack)[1]["status"] == "ready"
    assert stack.report()["blind"] == []
    assert stack.stop() == 0
