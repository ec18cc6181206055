"""The body of POST /v1/feedback: all forms are equivalent, and errors have path, value and remedy."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict

from pilotfish.sidecar.labels import cloudevents as events
from pilotfish.sidecar.labels import request as body
from pilotfish.sidecar.labels.items import MAX_LABELS
from pilotfish.sidecar.labels.labels import Label, LabelBatch, request_key
from pilotfish.sidecar.labels.request import FeedbackError, TooLargeError
from tests.support.examples import examples

JSON = "application/json"
ITEM = {"id": "a", "row": 2, "label": 1}
LABEL = Label(0, request_key("a"), 2, 1)
EVENT = {"specversion": "1.0", "id": "e1", "source": "/labels", "type": "label", "extension": 3}
FORMS = {
    "one item": (ITEM, JSON, {}),
    "a batch": ({"feedback": [ITEM]}, "application/json; charset=utf-8", {}),
    "an event": ({**EVENT, "data": ITEM}, events.STRUCTURED, {}),
    "an event with a batch": ({**EVENT, "data": {"feedback": [ITEM]}}, events.STRUCTURED, {}),
    "an event in base64": (
        {**EVENT, "data_base64": base64.b64encode(json.dumps(ITEM).encode()).decode()},
        f"{events.STRUCTURED}; charset=UTF-8",
        {},
    ),
    "a batch of events": ([{**EVENT, "data": ITEM}], events.BATCHED, {}),
    "a binary event": (ITEM, JSON, {"CE-SpecVersion": "1.0", "ce-id": "e1", "ce-source": "/l", "ce-type": "t"}),
}


def read(content: object, kind: str = JSON, headers: dict[str, str] | None = None) -> LabelBatch:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return body.read(raw, kind, CIMultiDict(headers or {}))


def problem(item: object) -> tuple[str, str]:
    found = read(item)
    assert (found.labels, found.invalid) == ((), 1)
    return found.problems[0].path, found.problems[0].problem


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_are_equivalent(form: str) -> None:
    content, kind, headers = FORMS[form]
    assert read(content, kind, headers) == LabelBatch((LABEL,))
    with_byte_order_mark = b"\xef\xbb\xbf" + json.dumps(content).encode()
    assert read(with_byte_order_mark, kind, headers) == LabelBatch((LABEL,))


def test_lines_are_items() -> None:
    found = read(b'{"id":"a","label":1}\n\n{"id":"b","label":"x"}\r\n', "application/x-ndjson")
    assert [(label.item, label.key, label.label) for label in found.labels] == [
        (0, request_key("a"), 1),
        (1, request_key("b"), "x"),
    ]


def test_a_list_has_one_label_per_row_and_null_without_a_label() -> None:
    found = read({"id": "a", "labels": [True, None, "no"]}).labels
    assert [(label.row, label.label, label.whole) for label in found] == [(0, True, 3), (2, "no", 3)]


def test_a_label_may_carry_its_prediction() -> None:
    (label,) = read({"label": 1, "prediction": "x", "score": 1, "time": "2026-01-01T00:00:00Z"}).labels
    assert (label.direct, label.prediction, label.score, label.time) == (True, "x", 1.0, 1767225600.0)
    assert label.key == 0
    (named,) = read({"id": "a", "row": 3, "label": 1, "prediction": 0.5, "time": 5}).labels
    assert (named.key, named.row, named.time) == (request_key("a"), 3, 5.0)


def test_a_repeated_delivery_has_the_same_keys() -> None:
    item = {"label": 1, "prediction": 2}
    batch = {"feedback": [item, {"label": None}, item]}
    first, again = (read(batch, JSON, {"idempotency-key": "k"}).labels for _ in range(2))
    assert first == again
    assert {label.row for label in first} == {0, 2}
    assert len({label.key for label in first}) == 1
    assert read(batch, JSON, {"Idempotency-Key": "other"}).labels[0].key != first[0].key
    assert {label.key for label in read(batch).labels} == {0}
    one, other = ({**EVENT, "id": name, "data": item} for name in ("1", "2"))
    assert len({label.key for label in read([one, other, one], events.BATCHED).labels}) == 2


@pytest.mark.parametrize(
    ("item", "path", "text"),
    [
        ({"id": "a", "row": -1, "label": 1}, "$.row", "is -1; give the row's number"),
        ({"id": "a", "row": "0", "label": 1}, "$.row", "is '0'"),
        ({"id": "a", "label": [1]}, "$.label", "is [1]; give a number, a boolean or a text"),
        ({"id": "a", "label": None}, "$.label", "is None"),
        ({"id": "a", "label": "x" * 999}, "$.label", "…; give"),
        ({"id": "a", "label": 10**30}, "$.label", "64 bits"),
        ({"id": 7, "label": 1}, "$.id", "is 7; give the request's id as text"),
        ({"id": "", "label": 1}, "$.id", "is ''"),
        ({"id": "a"}, "$", "neither label nor labels"),
        ({"label": 1}, "$", "has no id"),
        ({"labels": [1]}, "$", "has labels and no id"),
        ({"id": "a", "labels": [1, {}]}, "$.labels[1]", "is {}"),
        ({"id": "a", "labels": [1], "row": 1}, "$.row", "does not go with labels"),
        ({"id": "a", "label": 1, "score": 0.1}, "$.score", "needs a prediction"),
        ({"id": "a", "label": 1, "prediction": 1, "score": "x"}, "$.score", "is 'x'; give the score as a number"),
        ({"label": 1, "prediction": 1, "time": "noon"}, "$.time", "is 'noon'; give the time"),
        ({"label": 1, "prediction": 1, "time": "2026-01-01T00:00:00"}, "$.time", "time zone"),
        ({"label": 1, "prediction": 1, "time": -1}, "$.time", "is -1"),
        ({"id": "a", "label": 1, "lable": 2}, "$.lable", "known here: id, label"),
        ([ITEM], "$", "is not an item"),
        (b"{", "$", "is not JSON"),
        (b'{"id": 7, "label": tru}', "$", "is not JSON"),
        (b'{"id": "\xff", "label": 1}', "$", "is not JSON"),
        (b'{"id": "a", "label": 0, "label": 1}', "$.label", "is given twice; give each key once"),
        (b'{"id": "a", "label": 1, "label": 1}', "$.label", "is given twice"),
        (b'{"id": "a:b", "label": 1, "l\\u0061bel": 2}', "$.label", "is given twice"),
        (b'{"id": "a", "id": "b", "labels": [1, 0]}', "$.id", "is given twice"),
    ],
)
def test_errors_have_path_value_and_remedy(item: object, path: str, text: str) -> None:
    found = problem(item)
    assert found[0] == path
    assert text in found[1]
    assert len(found[1]) < 300


def test_the_valid_items_of_a_batch_are_accepted() -> None:
    found = read({"feedback": [ITEM, {"id": "b"}, {**ITEM, "row": 3}]})
    assert [label.item for label in found.labels] == [0, 2]
    assert (found.invalid, found.problems[0].index, found.problems[0].path) == (1, 1, "$.feedback[1]")


TWICE = b'{"id": "a", "label": 0, "label": 1}'
EVENT_HEAD = b'{"specversion": "1.0", "id": "e", "source": "/l", "type": "t", '


@pytest.mark.parametrize(
    ("content", "kind", "path"),
    [
        (b'{"feedback": [%b, {"id": "b", "label": 1}]}' % TWICE, JSON, "$.feedback[0].label"),
        (b'%b\n{"id": "b", "label": 1}' % TWICE, "application/jsonl", "line 1: $.label"),
        (EVENT_HEAD + b'"data": %b}' % TWICE, events.STRUCTURED, "$.data.label"),
        (EVENT_HEAD + b'"id": "f", "data": {"id": "b", "label": 1}}', events.STRUCTURED, "$.id"),
        (EVENT_HEAD + b'"data": {"id": "b", "label": 1}, "data": {}}', events.STRUCTURED, "$.data"),
        (b"[%b]" % (EVENT_HEAD + b'"extra": 1, "extra": 2, "data": {}}'), events.BATCHED, "$[0].extra"),
    ],
)
def test_an_item_with_a_duplicate_key_is_refused_in_each_form(content: bytes, kind: str, path: str) -> None:
    found = read(content, kind)
    assert (found.invalid, found.problems[0].path) == (1, path)
    assert "is given twice" in found.problems[0].problem
    assert len(found.labels) == (kind in (JSON, "application/jsonl"))  # the other item


@pytest.mark.parametrize("second", [b'"feedback"', b'"feed\\u0062ack"'])
def test_a_batch_with_two_lists_is_refused(second: bytes) -> None:
    with pytest.raises(FeedbackError, match=r"\$\.feedback is given twice"):
        read(b'{"feedback": [{"id": "a", "label": 1}], %b: []}' % second)


@given(st.lists(st.tuples(st.sampled_from(["id", "label", "row"]), st.integers(0, 3)), max_size=6))
def test_an_object_is_accepted_only_if_all_its_keys_differ(pairs: list[tuple[str, int]]) -> None:
    parts = [json.dumps(key) + ": " + json.dumps(str(value) if key == "id" else value) for key, value in pairs]
    found = read("{{{}}}".format(", ".join(parts)).encode())
    keys = [key for key, _ in pairs]
    assert bool(found.labels) == ({"id", "label"} <= set(keys) and len(keys) == len(set(keys)))


@pytest.mark.parametrize(
    ("event", "path"),
    [
        ({**EVENT, "specversion": "0.3", "data": ITEM}, "$.specversion"),
        ({**EVENT, "id": "", "data": ITEM}, "$.id"),
        ({**EVENT, "source": None, "data": ITEM}, "$.source"),
        (EVENT, "$.data"),
        ({**EVENT, "data": ITEM, "datacontenttype": "text/xml"}, "$.datacontenttype"),
        ({**EVENT, "data_base64": "???"}, "$.data_base64"),
        ({**EVENT, "data": {"id": "a", "row": -1, "label": 1}}, "$.data.row"),
    ],
)
def test_an_invalid_event_is_reported_with_its_attribute(event: dict[str, Any], path: str) -> None:
    assert read(event, events.STRUCTURED).problems[0].path == path


@pytest.mark.parametrize(
    ("content", "kind", "headers", "text"),
    [
        (ITEM, "text/plain", {}, "the content type is 'text/plain'; give application/json"),
        (ITEM, "", {}, "content type"),
        ({"feedback": [ITEM], "more": 1}, JSON, {}, "$.more does not go with feedback"),
        ({"feedback": 3}, JSON, {}, "not of this form"),
        (b"[", events.BATCHED, {}, "JSON array of CloudEvents"),
        (b" ", "application/jsonl", {}, "holds no feedback"),
        ({"feedback": []}, JSON, {}, "holds no feedback"),
        (ITEM, JSON, {"ce-specversion": "1.0", "ce-id": "x"}, "header ce-source is None"),
    ],
)
def test_a_body_without_a_known_form_is_refused(content: object, kind: str, headers: dict[str, str], text: str) -> None:
    with pytest.raises(FeedbackError) as caught:
        read(content, kind, headers)
    assert text in str(caught.value)
    assert caught.value.status == 400


def test_bodies_beyond_the_limits_are_refused() -> None:
    with pytest.raises(TooLargeError) as caught:
        read(b" " * (body.MAX_BODY_BYTES + 1))
    assert caught.value.status == 413
    with pytest.raises(TooLargeError):
        read({"id": "a", "labels": [1] * (MAX_LABELS + 1)})


KINDS = (JSON, "application/x-ndjson", events.STRUCTURED, events.BATCHED)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "row", "label", "labels", "prediction", "score", "time", "feedback", "data", "x", ""]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(VALUES | st.binary(max_size=60), st.sampled_from(KINDS), st.booleans())
@settings(max_examples=examples(120), deadline=None)
def test_no_input_crashes_the_parser(content: object, kind: str, eventful: bool) -> None:
    wrapped = {**EVENT, "data": content} if eventful and not isinstance(content, bytes) else content
    with suppress(FeedbackError):
        found = read(wrapped, kind)
        assert found.invalid >= len(found.problems)
        assert all(len(item.problem) < 300 for item in found.problems)
