"""Labels through a complete Pilotfish: joined to live traffic, scored, and neither lost nor doubled by a crash."""

from __future__ import annotations

import http.client
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from tests.control.receiver import Receiver
from tests.e2e import stack as stacks
from tests.e2e.stack import DOCUMENT, Stack, total
from tests.e2e.upstream import BODY
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

ROWS = 5
PREDICTED = json.loads(BODY)["outputs"][0]["data"]


def profile() -> bytes:
    """Return a profile of a model with an error of about 0.1."""
    random = np.random.default_rng(3)
    truth = random.choice(PREDICTED, 10_000)
    columns = {"a": random.normal(size=10_000), "y": truth + random.normal(0, 0.1, 10_000), "truth": truth}
    sides: Any = {"y": "prediction", "truth": "label"}
    return build_profile(columns, sides=sides, model="m", version="1", exchangeable=True, tick_seconds=0.2).to_bytes()


@pytest.fixture
def labelled(tmp_path: Path, spawn: Children, receiver: Receiver) -> Stack:
    made = stacks.create_stack(tmp_path, spawn, profile(), receiver.url)
    made.write(
        "monitor.yaml", (DOCUMENT % receiver.url).replace("    cooldown", "    causes: [performance]\n    cooldown")
    )
    return made


def predict(stack: Stack, names: list[str]) -> None:
    """Send one request of five rows per request id."""
    connection = http.client.HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
    tensor = {"name": "a", "datatype": "FP64", "shape": [ROWS], "data": [0.1, -0.2, 0.3, 0.9, -1.1]}
    for name in names:
        connection.request("POST", "/v2/models/m/infer", json.dumps({"id": name, "inputs": [tensor]}))
        assert connection.getresponse().read() == BODY
    connection.close()


def start_counting(stack: Stack) -> None:
    """Start the stack, and send requests without ids until the first is counted; later ones all are."""
    stack.start()

    def measured() -> bool:
        predict(stack, [""])
        return total(stack.metrics(), "pilotfish_exchanges_total", fate="measured") > 0

    wait_until(measured, what="a first exchange that counts")


def send_labels(stack: Stack, content: object) -> dict[str, Any]:
    """Send labels until the answer is 200, as a client with retries does."""
    raw = json.dumps(content).encode()
    refused: list[tuple[int, bytes]] = []

    def sent() -> bytes:
        status, body = stack.get("/v1/feedback", "POST", raw, content_type="application/json")
        if status == 200:
            return body
        refused.append((status, body))
        return b""

    try:
        found: dict[str, Any] = json.loads(wait_until(sent, timeout=30, what="an answer to labels"))
    except TimeoutError as error:
        raise TimeoutError(f"{error}; {len(refused)} refusals, the last: {refused[-1:]}") from None
    return found


def waiting(stack: Stack) -> int:
    """Return the number of rows that wait for a label."""
    return int(stack.report().get("feedback", {}).get("pending", -1))


def predicted(stack: Stack) -> int:
    """Return the number of counted predicted rows."""
    return int(total(stack.metrics(), "pilotfish_rows_total", side="prediction"))


def labels_with_error(error: float) -> list[float]:
    """Return labels for the rows of one request; each differs from its prediction by `error`."""
    return [value + error for value in PREDICTED]


@pytest.mark.long
def test_labels_survive_a_crash_and_count_once(labelled: Stack) -> None:
    stack = labelled
    start_counting(stack)
    names = [f"r{number}" for number in range(12)]
    predict(stack, names)
    wait_until(lambda: waiting(stack) == 12 * ROWS, what="predictions that wait")
    for number, name in enumerate(names):
        killer = threading.Thread(target=stack.kill_analyzer)
        if number == 5:
            killer.start()  # the kill may come before the label, between the label and its answer, or later
        answer = send_labels(stack, {"id": name, "labels": labels_with_error(0.1)})
        assert answer["joined"] + answer["duplicate"] == ROWS
        if number == 5:
            killer.join()
    wait_until(stack.ready)
    again = send_labels(stack, {"feedback": [{"id": name, "labels": labels_with_error(0.1)} for name in names]})
    assert (again["joined"], again["duplicate"]) == (0, 12 * ROWS)
    wait_until(lambda: waiting(stack) == 0, what="all labels")
    wait_until(lambda: total(stack.metrics(), "pilotfish_feedback_total", outcome="joined") == 12 * ROWS)
    feedback = stack.report()["feedback"]
    assert 0 < feedback["identified_ratio"] < 1
    assert 0 < feedback["coverage"] < 1
    assert send_labels(stack, {"id": "never", "label": 1})["unknown"] == 1
    assert stack.stop() == 0


@pytest.mark.long
def test_labels_that_show_a_worse_model_request_a_retraining(labelled: Stack, receiver: Receiver) -> None:
    stack = labelled
    start_counting(stack)

    def worse() -> bool:
        before = predicted(stack)
        names = [f"{before}-{number}" for number in range(10)]
        predict(stack, names)
        wait_until(lambda: predicted(stack) >= before + 10 * ROWS, what="predictions that wait")
        answer = send_labels(stack, {"feedback": [{"id": name, "labels": labels_with_error(0.8)} for name in names]})
        assert answer["judged"] == 10 * ROWS
        return bool(receiver.arrivals)

    wait_until(worse, timeout=40, what="the webhook")
    data = json.loads(receiver.arrivals[0].body)["data"]
    assert (data["cause"], data["family"]) == ("performance", "performance")
    losses = data["detail"]["performance"]
    assert losses["realized"]["low"] > losses["reference"]
    found = stack.report()["performance"]
    assert (found["believed"], found["label"]) == ("realized", "truth")
    assert total(stack.metrics(), "pilotfish_model_loss", kind="realized") > total(
        stack.metrics(), "pilotfish_model_loss", kind="reference"
    )
    assert stack.stop() == 0
