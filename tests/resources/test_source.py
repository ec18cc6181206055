"""The source of the figures: what is chosen, and which reason is shown while the node does not answer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.report.blocks.resources import SourceReason
from pilotfish.sidecar.resources.pod.figures import PodFigures
from pilotfish.sidecar.resources.pod.reading import LONGEST_WAIT, STALE_SECONDS, NodeReading, NodeState
from pilotfish.sidecar.resources.processes import ProcessStat
from pilotfish.sidecar.resources.source import SourceOptions, choose
from pilotfish.sidecar.system.addresses import Address
from tests.support.examples import examples

ANSWERS = NodeReading(figures=PodFigures(node="n"), fresh=True, reason=SourceReason.NODE)
REFUSES = NodeReading(reason=SourceReason.NODE_REFUSED, detail="status 401")
MODEL = ProcessStat(pid=7, parent=1, started=1, cpu_ns=0, threads=1, resident=0)
NOWHERE = (Address("127.0.0.1", 1),)


@pytest.mark.parametrize(
    ("options", "node", "kind", "reason"),
    [
        (SourceOptions(cluster=True), ANSWERS, "node", "node"),
        (SourceOptions(cluster=True), REFUSES, "rules", "node_refused"),
        (SourceOptions(cluster=True), NodeReading(), "rules", "node_starting"),
        (SourceOptions(cluster=True), None, "rules", "cluster"),
        (SourceOptions(cluster=True, pid=7), ANSWERS, "local", "pid"),
        (SourceOptions(choice="node"), ANSWERS, "node", "node"),
        (SourceOptions(choice="node"), REFUSES, "rules", "node_refused"),
        (SourceOptions(choice="rules"), ANSWERS, "rules", "chosen"),
        (SourceOptions(choice="none"), ANSWERS, "none", "turned_off"),
        (SourceOptions(choice="local"), ANSWERS, "local", "no_process"),
        (SourceOptions(choice="local", addresses=NOWHERE), None, "local", "no_process"),
        (SourceOptions(choice="local", pid=8), None, "local", "no_process"),
        (SourceOptions(addresses=NOWHERE), None, "none", "not_found"),
        (SourceOptions(choice="local", addresses=(Address("192.0.2.1", 80),)), None, "none", "remote"),
        (SourceOptions(addresses=(Address("nowhere.invalid", 80),)), None, "none", "unresolved"),
    ],
)
def test_the_source_and_its_reason(options: SourceOptions, node: NodeReading | None, kind: str, reason: str) -> None:
    found = choose(options, {7: MODEL}, (), node)
    assert (found.source.kind, found.source.reason) == (kind, reason)


def test_the_text_of_a_refusal_has_the_error_and_a_remedy() -> None:
    text = choose(SourceOptions(cluster=True), {}, (), REFUSES).source.text
    assert "status 401" in text
    assert SourceReason.NODE_REFUSED.remedy in text


def test_a_failure_keeps_the_figures_until_they_are_stale() -> None:
    state = NodeState().on_figures(PodFigures(node="n"), 0.0)
    assert (state.due(0.9), state.due(1.0)) == (False, True)
    failed = state.on_failure(SourceReason.NODE_UNREACHABLE, "x", 1.0)
    assert failed.reading.figures is not None
    assert not failed.reading.fresh
    late = failed.on_failure(SourceReason.NODE_UNREACHABLE, "x", STALE_SECONDS + 1)
    assert (late.reading.figures, late.reading.reason) == (None, SourceReason.NODE_UNREACHABLE)
    silent = state.between(STALE_SECONDS + 1)
    assert (silent.reading.figures, silent.reading.reason) == (None, SourceReason.NODE_STALE)


events = st.lists(st.tuples(st.sampled_from(["figures", "failure", "between"]), st.floats(0, 100)), max_size=20)


@settings(max_examples=examples(300))
@given(events, st.floats(-1, 1e9))
def test_figures_are_never_shown_longer_than_allowed_and_waits_are_bounded(
    history: list[tuple[str, float]], interval: float
) -> None:
    state, now, answered = NodeState(), 0.0, float("-inf")
    for event, passed in history:
        now += passed
        if event == "figures":
            state, answered = state.on_figures(PodFigures(node="n", next_seconds=interval), now), now
        elif event == "failure":
            state = state.on_failure(SourceReason.NODE_REFUSED, "", now)
        else:
            state = state.between(now)
        assert state.ask_at <= now + LONGEST_WAIT
        assert state.reading.fresh == (event == "figures")
        if now - answered > 100:
            assert state.reading.figures is None
