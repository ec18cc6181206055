"""The counts of each route are those that a real client was given, for every kind of call that it can make."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable

import pytest

from tests.servers.watched import Watched

pytestmark = pytest.mark.servers
Watch = Callable[[int], Watched]


def generated(port: int) -> int:
    """Return the tokens that llama.cpp has written, by its own metrics."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as response:
        lines = response.read().decode().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("llamacpp:tokens_predicted_total "))


def test_openai_with_llama(watch: Watch, llama: int) -> None:
    watched, before = watch(llama), generated(llama)
    calls = watched.call("with_openai", "llama")
    assert watched.settled() == watched.given.lines()
    found = watched.tokens()
    assert found["unknown"] == {"partial": 2}, "of several choices and of several prompts, llama.cpp counts one"
    assert found["completion"] == sum(call["completion"] or 0 for call in calls)
    of_two_choices_and_two_prompts = 4 * 9
    assert generated(llama) - before == found["completion"] + of_two_choices_and_two_prompts
    assert {"stream without usage", "long stream without usage"} <= {call["case"] for call in calls}
    assert watched.stack.report()["blind"] == []


def test_embeddings_of_openai_with_llama(watch: Watch, embedder: int) -> None:
    watched = watch(embedder)
    watched.call("with_openai", "llama", "embeddings")
    assert watched.settled() == watched.given.lines()
    assert watched.tokens()["unknown"] == {}


def test_anthropic_with_llama(watch: Watch, llama: int) -> None:
    watched, before = watch(llama), generated(llama)
    watched.call("with_anthropic")
    assert watched.settled() == watched.given.lines()
    assert generated(llama) - before == watched.tokens()["completion"] > 1500
    assert watched.tokens()["unknown"] == {}
