"""Reviews, also damaged ones: every body gets a correct answer or a refusal, and never an error of the server."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.inject.server.review import (
    MAX_DEPTH,
    InvalidReviewError,
    ReviewAnswer,
    encode_answer,
    parse_review,
)
from tests.inject.server.running import pod, review
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"{" * 100_000, "not JSON"),
        (b"[]", "kind is None"),
        (json.dumps({"kind": "Pod"}).encode(), "kind is 'Pod'"),
        (json.dumps({**review(), "apiVersion": "admission.k8s.io/v1beta1"}).encode(), "admissionReviewVersions: [v1]"),
        (json.dumps({**review(), "request": None}).encode(), "request is None"),
        (json.dumps(review(uid="")).encode(), "request.uid is ''"),
    ],
    ids=["empty", "not UTF-8", "nested", "a list", "another kind", "another version", "no request", "no UID"],
)
def test_a_body_without_a_request_is_refused_with_a_reason(body: bytes, text: str) -> None:
    with pytest.raises(InvalidReviewError, match=re.escape(text)):
        parse_review(body)


def nested(levels: int) -> dict[str, Any]:
    item: dict[str, Any] = {}
    for _ in range(levels):
        item = {"a": item}
    return item


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"operation": "DELETE", "object": None}, "it is not a creation"),
        ({"operation": "UPDATE"}, "it is not a creation"),
        ({"resource": {"group": "apps", "version": "v1", "resource": "deployments"}}, "it is not about pods"),
        ({"resource": None}, "it is not about pods"),
        ({"subResource": "ephemeralcontainers"}, "it is not about pods"),
        ({"namespace": ""}, "it has no namespace"),
        ({"object": {"metadata": {}}}, "its object is not a pod"),
        ({"object": "pod"}, "its object is not a pod"),
        ({"object": {"metadata": {}, "spec": nested(MAX_DEPTH + 1)}}, "its pod is nested too deeply"),
    ],
)
def test_a_request_about_something_else_has_no_pod(changes: dict[str, Any], why: str) -> None:
    sent = review()
    sent["request"] |= changes
    found = parse_review(json.dumps(sent).encode())
    assert (found.pod, found.ignored) == (None, why)


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
)


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for key, inner in items for found in paths_of(inner, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return a copy of `value` with `new` at `path`."""
    if not path:
        return new
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


WHOLE = review(pod())
PATHS = paths_of(WHOLE)


@settings(max_examples=examples(400))
@given(st.sampled_from(PATHS), JSON)
def test_a_review_with_any_value_replaced_is_read_or_refused(path: tuple[Any, ...], new: Any) -> None:
    body = json.dumps(replaced(WHOLE, path, new)).encode()
    try:
        found = parse_review(body)
    except InvalidReviewError:
        return
    assert found.uid
    assert (found.pod is None) == bool(found.ignored)
    answered = json.loads(encode_answer(found.uid, ReviewAnswer(audit={"ignored": found.ignored})))
    assert answered["response"]["uid"] == found.uid


@settings(max_examples=examples(400))
@given(st.integers(0, len(json.dumps(WHOLE)) - 1), st.binary(max_size=8))
def test_a_review_with_damaged_bytes_is_read_or_refused(position: int, damage: bytes) -> None:
    raw = json.dumps(WHOLE).encode()
    try:
        parse_review(raw[:position] + damage + raw[position + len(damage) :])
        parse_review(raw[:position])
    except InvalidReviewError:
        return


@given(st.text(max_size=2000), st.dictionaries(st.sampled_from(["mode", "reason"]), st.text(max_size=3000)), JSON)
def test_any_answer_is_an_admission_review_with_bounded_texts(text: str, audit: dict[str, str], value: Any) -> None:
    patch = [{"op": "add", "path": "/metadata/labels", "value": value}]
    for answer in (ReviewAnswer(patch, warnings=[text], audit=audit), ReviewAnswer(refusal=text or "no")):
        response = json.loads(encode_answer("uid", answer))["response"]
        assert response["allowed"] is not bool(answer.refusal)
        assert all(len(warning.encode()) <= 256 for warning in response.get("warnings", ()))
        assert all(len(one.encode()) <= 1024 for one in response.get("auditAnnotations", {}).values())
        if answer.patch:
            assert len(json.loads(base64.b64decode(response["patch"]))) == 1


@pytest.mark.parametrize("answer", [ReviewAnswer(), ReviewAnswer([])])
def test_an_answer_without_a_patch_names_no_patch_type(answer: ReviewAnswer) -> None:
    assert json.loads(encode_answer("uid", answer))["response"] == {"uid": "uid", "allowed": True}
