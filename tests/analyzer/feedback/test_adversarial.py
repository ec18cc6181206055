"""Bodies of feedback that ask for more work or memory than they have bytes, and mutations of real ones."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.labels.cloudevents import BATCHED, STRUCTURED
from pilotfish.sidecar.labels.labels import LabelBatch
from pilotfish.sidecar.labels.request import LINES, FeedbackError, TooLargeError, read
from tests.support.examples import examples

JSON, JSON_LINES = "application/json", LINES[0]
SIZE = 96 * 1024
EVENT = '{"specversion":"1.0","id":"a","source":"s","type":"t","data":%s}'
ITEM = '{"id":"a","label":1}'
EMPTY = '{"id":"a","labels":[]}'


def repeat(unit: str, separator: str = ",") -> str:
    return separator.join([unit] * (SIZE // (len(unit) + 1)))


CASES: dict[str, tuple[str, str, type[FeedbackError] | None]] = {
    "a list of many labels": (JSON, f'{{"id":"a","labels":[{repeat("1")}]}}', TooLargeError),
    "a list of nulls": (JSON, f'{{"id":"a","labels":[{repeat("null")}]}}', None),
    "a batch of numbers": (JSON, f'{{"feedback":[{repeat("1")}]}}', TooLargeError),
    "a batch of empty lists": (JSON, f'{{"feedback":[{repeat(EMPTY)}]}}', None),
    "empty lines": (JSON_LINES, "\n" * SIZE, FeedbackError),
    "lines that are not JSON": (JSON_LINES, repeat("x", "\n"), TooLargeError),
    "lines of empty batches": (JSON_LINES, repeat('{"feedback":[]}', "\n"), FeedbackError),
    "many events": (BATCHED, f"[{repeat(EVENT % ITEM)}]", None),
    "an event of many items": (STRUCTURED, EVENT % f'{{"feedback":[{repeat("1")}]}}', TooLargeError),
    "a long key": (JSON, f'{{"{"k" * SIZE}":1}}', None),
    "a long text": (JSON, f'{{"id":"a","label":"{"x" * SIZE}"}}', None),
    "a long number": (JSON, f'{{"id":"a","label":{"9" * SIZE}}}', None),
    "a deep list": (JSON, '{"id":"a","label":' + "[" * SIZE, None),
    "NUL": (JSON, "\0" * SIZE, None),
}


@pytest.mark.long
@pytest.mark.parametrize("what", CASES)
def test_time_and_memory_follow_from_the_size_of_the_body(what: str) -> None:
    kind, text, refused = CASES[what]
    before = time.process_time()
    tracemalloc.start()
    try:
        if refused is not None:
            with pytest.raises(refused) as caught:
                read(text.encode(), kind, {})
            assert caught.type is refused
            assert len(str(caught.value)) < 500
        else:
            found = read(text.encode(), kind, {})
            assert all(len(problem.problem) + len(problem.path) < 500 for problem in found.problems)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert time.process_time() - before < 8
    assert peak < 50 * len(text)


def test_a_body_with_very_many_elements_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(TooLargeError, match="more than 640000 commas"):
        read(b"," * 640_001, JSON, {})


BODIES = (
    (JSON, '{"id": "r-1", "row": 2, "label": 1}'),
    (JSON, '{"feedback": [{"id": "r-1", "labels": [1, null, "x"]}, {"label": 1.5, "prediction": 0, "score": 0.25}]}'),
    (JSON, '{"id": "d", "label": true, "prediction": false, "time": "2026-01-01T00:00:00Z"}'),
    (JSON_LINES, '{"id": "a", "label": 1}\n{"id": "b", "label": "\\u00e9\\ud83d\\ude00"}\r\n'),
    (STRUCTURED, EVENT % '{"id": "a", "label": 1}'),
    (BATCHED, f"[{EVENT % ITEM}, {EVENT.replace('data', 'data_base64') % json.dumps('eyJpZCI6ImEiLCJsYWJlbCI6MX0=')}]"),
)
WORDS = '1e400 -0 NaN -Infinity 9223372036854775808 null [] {} [[[ \\ud800 \\u0000 , : " \ufeff \x00'
PIECES = st.sampled_from(WORDS.split(" "))


@settings(max_examples=examples(600))
@given(st.sampled_from(BODIES), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), PIECES), max_size=4), st.data())
def test_a_changed_body_gives_labels_or_problems(
    body: tuple[str, str], changes: list[tuple[float, int, str]], data: st.DataObject
) -> None:
    kind, text = body
    for place, length, piece in changes:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + length :]
    raw = text.encode(data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])), "replace")
    try:
        found = read(raw, kind, {})
    except FeedbackError:
        return
    assert isinstance(found, LabelBatch)
    assert found.invalid >= len(found.problems)
    assert all(label.time is None or 0 <= label.time < 1e11 for label in found.labels)
