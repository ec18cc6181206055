"""The tracker reports the same exchanges however the bytes are split, and the same as h11 where h11 parses them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integration import cases_ends, cases_http, cases_opaque, oracle
from tests.integration.case import Case
from tests.integration.transcript import Event, track, transcript
from tests.support.examples import examples

CASES = [case for case in (*cases_ends.CASES, *cases_http.CASES, *cases_opaque.CASES) if case.lockstep]
BY_NAME = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
CLEAN = [case for case in CASES if case.clean]


def cut(events: list[Event], sizes: random.Random | int) -> list[Event]:
    """Return the events with their bytes split into pieces of a fixed size, or of random sizes."""
    pieces = []
    for side, data in events:
        at, size = 0, len(data or b"")
        while at < size:
            step = sizes if isinstance(sizes, int) else sizes.choice((1, 2, 3, 7, 40, 300))
            pieces.append(Event(side, (data or b"")[at : at + step]))
            at += step
        if data is None:
            pieces.append(Event(side))
    return pieces


@pytest.mark.long
@BY_NAME
def test_one_split_anywhere_changes_nothing(case: Case) -> None:
    events = transcript(case).events
    for capture in (True, False):
        expected = track(events, capture=capture)
        for index, (side, data) in enumerate(events):
            for at in range(1, len(data or b"")):
                parts = [Event(side, (data or b"")[:at]), Event(side, (data or b"")[at:])]
                listener = track(events[:index] + parts + events[index + 1 :], capture=capture)
                assert listener.finished_exchanges == expected.finished_exchanges, (index, at)
                assert bool(listener.opaque) == bool(expected.opaque), (index, at)


@BY_NAME
def test_byte_by_byte_changes_nothing(case: Case) -> None:
    events = transcript(case).events
    for capture in (True, False):
        expected, listener = track(events, capture=capture), track(cut(events, 1), capture=capture)
        assert listener.finished_exchanges == expected.finished_exchanges


@settings(max_examples=examples(150), deadline=None)
@given(case=st.sampled_from(CASES), seed=st.integers(0, 1 << 32))
def test_random_pieces_change_nothing(case: Case, seed: int) -> None:
    events = transcript(case).events
    listener = track(cut(events, random.Random(seed)))
    assert listener.finished_exchanges == track(events).finished_exchanges


@BY_NAME
def test_tracker_reports_what_the_script_declares(case: Case) -> None:
    listener = track(transcript(case).events)
    whole = [
        f"{method} {status}"
        for method, status, complete, *_ in listener.finished_exchanges
        if complete and status != 101
    ]
    cut_off = [exchange for exchange in listener.finished_exchanges if not exchange[2]]
    assert tuple(exchange for exchange in whole if case.downgrade != "connect") == case.exchanges
    assert len(cut_off) == case.aborted
    assert len(listener.finished_exchanges) == listener.requested_count
    assert len(listener.opaque) == (case.downgrade is not None)
    assert case.downgrade in (None, "any", *listener.opaque)


@pytest.mark.parametrize("case", CLEAN, ids=[case.name for case in CLEAN])
def test_tracker_reports_what_h11_parses(case: Case) -> None:
    script = transcript(case)
    listener = track(script.events)
    seen = oracle.read(bytes(script.sent_up), bytes(script.sent_down), server_ended=not script.was_reset)
    complete = [exchange for exchange in listener.finished_exchanges if exchange[2]]
    assert [(method, status, *bodies) for method, status, _, _, _, bodies in complete] == seen.exchanges()
    assert [sizes for _, _, _, sizes, _, _ in complete] == [(len(up), len(down)) for _, _, up, down in seen.exchanges()]
