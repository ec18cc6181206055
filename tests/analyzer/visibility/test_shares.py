"""The rule about shares: when a blind spot opens and ends, and that mixed traffic does not make it flicker."""

from __future__ import annotations

from random import Random
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.visibility.history import History, Totals
from pilotfish.sidecar.analyzer.visibility.readings import Reading, View
from pilotfish.sidecar.analyzer.visibility.shares import FIRST, HALF, MANY, RECENT, SETTLED, unmeasured
from tests.support.examples import examples

NO_READING = cast("Reading", None)  # the rule looks at counters only


def good(totals: Totals) -> int:
    return totals.of("good")


def bad(totals: Totals) -> int:
    return totals.of("bad")


class Judged:
    """Feeds events, one reading each, and keeps the last result of the rule."""

    def __init__(self, bound: float = HALF) -> None:
        self.bound = bound
        self.history, self.good, self.bad = History(), 0, 0
        self.found: Totals | None = None
        self.opened = 0

    def feed(self, *events: bool) -> str:
        for measured in events:
            self.good, self.bad = self.good + measured, self.bad + (not measured)
            self.history.add(Totals({("good",): self.good, ("bad",): self.bad}))
            before = self.found
            present = frozenset(["x"]) if before is not None else frozenset[str]()
            self.found = unmeasured(View(NO_READING, self.history, present), "x", good, bad, self.bound)
            self.opened += before is None and self.found is not None
        return "clear" if self.found is None else "partly" if good(self.found) else "blind"


def test_a_service_that_was_never_measured_is_blind_after_a_few_events() -> None:
    judged = Judged()
    assert judged.feed(*[False] * (FIRST - 1)) == "clear"
    assert judged.feed(False) == "blind"
    assert judged.feed(True) == "clear"


def test_a_measured_service_is_blind_after_more_events_and_sees_again_at_the_first_one() -> None:
    judged = Judged()
    assert judged.feed(*[True] * 200) == "clear"
    assert judged.feed(*[False] * (RECENT - 1)) == "clear"
    assert judged.feed(False) == "blind"
    assert judged.feed(True) == "clear"


def test_half_of_the_traffic_makes_it_partly_blind_until_all_is_measured() -> None:
    judged = Judged()
    assert judged.feed(*[True, False, False] * 40) == "partly"
    assert judged.feed(*[True, True, False] * 40) == "partly", "the bound is lower now"
    assert judged.feed(*[True] * (RECENT + 1)) == "clear"


@given(st.lists(st.booleans(), max_size=150))
@settings(max_examples=examples(100))
def test_it_is_blind_only_if_no_recent_event_is_measured(events: list[bool]) -> None:
    judged = Judged()
    if judged.feed(*events) == "blind":
        assert not any(events[-FIRST:])
        assert not any(events[-RECENT:]) or not any(events)
    elif len(events) >= RECENT and not any(events[-RECENT:]):
        pytest.fail("blind over nothing, and not called so")


@given(st.lists(st.just(True), max_size=300))
@settings(max_examples=examples(20))
def test_measured_traffic_is_never_blind(events: list[bool]) -> None:
    assert Judged().feed(*events) == "clear"


def test_a_tenth_of_the_traffic_makes_it_partly_blind_until_all_is_measured() -> None:
    judged = Judged(bound=0.1)
    assert judged.feed(*[*[True] * 4, False] * 20) == "partly"
    assert judged.feed(*[*[True] * 13, False] * 20) == "partly", "the bound is lower now"
    assert judged.feed(*[True] * (SETTLED + 1)) == "clear"


@pytest.mark.parametrize("bound", [0.1, HALF])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.6, 0.8, 0.9])
def test_mixed_traffic_does_not_flicker(share: float, bound: float) -> None:
    judged, random = Judged(bound), Random(1)
    judged.feed(*(random.random() >= share for _ in range(30 * MANY)))
    assert judged.opened <= 3
