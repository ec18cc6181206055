"""A kill at any moment: each acknowledged label counts exactly once, in counters and in evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.checkpoint import parse, render
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from tests.analyzer.feedback.made import exchange, labelled, labels, pipeline
from tests.analyzer.made import T0
from tests.support.examples import examples

NAMES = [f"n{number}" for number in range(8)]


@dataclass
class Process:
    """A pipeline with its files: the chunks of the journal by segment, and the last checkpoint."""

    journal: dict[int, list[tuple[int, bytes]]] = field(default_factory=dict)
    saved: dict[str, Any] | None = None
    position: tuple[int, int] = (0, 0)
    pipeline: Pipeline = field(default_factory=lambda: pipeline(labelled()))

    def write(self) -> None:
        """Append the pending bytes to the journal, as happens before each response."""
        for number, raw in self.pipeline.feedback.drain():
            chunks = self.journal.setdefault(number, [])
            end = (chunks[-1][0] if chunks else 0) + len(raw)
            chunks.append((end, raw))
            self.position = (number, end)

    def checkpoint(self) -> None:
        """Write the journal, then the checkpoint."""
        self.write()
        self.pipeline.feedback.journal_written(self.position)
        self.saved = parse(render(self.pipeline.state()), "test")

    def kill(self) -> None:
        """Restart from the files."""
        self.pipeline = pipeline(labelled(), self.saved)
        self.pipeline.replay(sorted(self.journal.items()), T0, count_labels=True)


@pytest.mark.long
@given(st.lists(st.tuples(st.sampled_from(["exchange", "label", "save", "kill"]), st.sampled_from(NAMES)), max_size=40))
@settings(max_examples=examples(25), deadline=None)
def test_an_acknowledged_label_counts_once_after_any_kill(steps: list[tuple[str, str]]) -> None:
    process, answered, sequence = Process(), set(), 0
    for what, name in [*steps, ("kill", "")]:
        if what == "exchange":
            sequence = max(sequence, process.pipeline.ledger.position) + 1
            process.pipeline.handle_record(exchange(sequence, name), T0)
        elif what == "label":
            answer = process.pipeline.take_labels(labels((name, 0, "blue")), T0)
            process.write()
            assert answer.joined == 0 or name not in answered
            assert answer.duplicate == (name in answered)
            answered |= {name} if answer.joined else set()
        elif what == "save":
            process.checkpoint()
        else:
            process.kill()
    made = process.pipeline
    assert made.active.monitor is not None
    made.active.monitor.flush()
    assert sum(counts.label_rows for counts in made.active.monitor.open_counts.values()) == len(answered)
    assert made.counters.named().get("feedback:joined", 0) == len(answered)
    again = made.take_labels(labels(*((name, 0, "blue") for name in answered)), T0)
    assert (again.joined, again.duplicate) == (0, len(answered))
