"""Tokens of a language model behind the real proxy: the counts of metrics and report are those that the server sent."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import language_server
from tests.e2e.stack import Stack
from tests.support.ports import accepts, free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"
DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: chat}
spec:
  model: {name: tiny, version: "1"}
  traffic: {bodyLimit: 64Ki}
  prices: {cpuHour: 3600}
"""


@dataclass
class Client:
    """Sends requests through the proxy as a client of OpenAI would, and adds up what it was told."""

    stack: Stack
    http: httpx.Client
    prompt: int = 0
    completion: int = 0
    sent: list[dict[str, Any]] = field(default_factory=list)

    def ask(self, path: str = CHAT, *, told: bool = True, gzip: bool = False, **wanted: Any) -> None:
        """Send one request, and read the whole response."""
        url = f"http://127.0.0.1:{self.stack.listen}{path}"
        headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
        with self.http.stream("POST", url, json=wanted, headers=headers) as response:
            response.read()
        self.sent.append(wanted)
        if told:
            self.prompt += wanted["prompt_tokens"]
            self.completion += wanted.get("tokens", 0)

    def tokens(self) -> dict[str, Any]:
        """Return the report's block of the only model version."""
        found = self.stack.report().get("resources", {}).get("tokens")
        return found[0] if found else {}


@pytest.fixture
def client(tmp_path: Path, spawn: Children) -> Iterator[Client]:
    stack = Stack(tmp_path, spawn, free_port(), free_port(), free_port())
    stack.write("monitor.yaml", DOCUMENT)
    stack.write("token", "a-token-of-tests")
    spawn(sys.executable, language_server.__file__, str(stack.upstream))
    wait_until(lambda: accepts(stack.upstream), timeout=30, what="the model server")
    stack.start()
    wait_until(stack.ready, what="Pilotfish to be ready")
    with httpx.Client(timeout=patient(10)) as http:
        yield Client(stack, http)


@pytest.mark.long
def test_tokens_of_whole_responses_and_of_streams_are_counted_exactly(client: Client) -> None:
    for index in range(20):
        client.ask(prompt_tokens=10 + index, tokens=3)
        client.ask(prompt_tokens=5, tokens=7 + index, stream=True, include_usage=True)
        client.ask(prompt_tokens=400, tokens=50, gzip=True)
    client.ask(prompt_tokens=6, tokens=900, stream=True, include_usage=True)  # longer than what the proxy keeps
    client.ask(prompt_tokens=6, tokens=900, pad=200)
    client.ask(EMBEDDINGS, prompt_tokens=77, inputs=30)
    client.ask(told=False, fail=True)
    wait_until(
        lambda: (client.tokens().get("exchanges"), client.tokens().get("counted")) == (63, 63), what="all counts"
    )
    found = client.tokens()
    assert (found["counted"], found["unknown"], found["error_ratio"]) == (63, {}, 0)
    assert (found["prompt"], found["completion"]) == (client.prompt, client.completion)
    assert (found["estimated_prompt"], found["estimated_completion"]) == (client.prompt, client.completion)
    samples = client.stack.metrics()
    counted = [value for name, value in samples.items() if name.startswith("pilotfish_tokens_total")]
    assert sum(counted) == client.prompt + client.completion
    assert client.stack.report()["blind"] == []
    page = client.stack.get("/report", accept="text/html")[1].decode()
    assert "Cost of a million" in page or "cost of a million" in page


@pytest.mark.long
def test_streams_without_usage_are_named_and_never_counted_as_0(client: Client) -> None:
    for index in range(30):
        client.ask(
            prompt_tokens=20, tokens=10 + index % 5, stream=True, include_usage=index % 3 == 0, told=index % 3 == 0
        )
    client.ask(prompt_tokens=9, tokens=9, random=True, gzip=True, told=False)
    unknown = {
        "encoded": 1,
        "stream": 20,
    }  # a record can arrive after the window of its exchange: not_recorded until then
    wait_until(
        lambda: (client.tokens().get("counted"), client.tokens().get("unknown")) == (10, unknown), what="all counts"
    )
    found = client.tokens()
    assert (found["counted"], found["prompt"], found["completion"]) == (10, client.prompt, client.completion)
    assert found["estimated_prompt"] == pytest.approx(31 * 20)
    assert 0 < found["error_ratio"] < 0.2
    assert "include_usage" in found["advice"]


@pytest.mark.long
def test_an_exchange_that_the_client_cancels_is_not_recorded_and_totals_survive_a_crash(client: Client) -> None:
    client.ask(prompt_tokens=20, tokens=10)
    wait_until(lambda: client.tokens().get("counted") == 1, what="the first exchange")
    url = f"http://127.0.0.1:{client.stack.listen}{CHAT}"
    wanted = {"prompt_tokens": 1, "tokens": 200_000, "stream": True, "include_usage": True}
    with httpx.Client() as http, http.stream("POST", url, json=wanted) as response:
        next(response.iter_raw())
    wait_until(lambda: client.tokens().get("unknown") == {"not_recorded": 1}, what="the cancelled exchange")
    before = client.stack.kill_analyzer()
    wait_until(lambda: client.stack.pid("analyzer") not in (0, before) and client.stack.ready(), what="a restart")
    client.ask(prompt_tokens=20, tokens=10)
    wait_until(lambda: client.tokens().get("counted") == 2, what="the totals of before")
    assert client.tokens()["prompt"] == 40
