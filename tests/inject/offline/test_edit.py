"""A changed document keeps the text of what did not change."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.inject.offline.documents import ManifestDocument, read
from pilotfish.sidecar.inject.offline.edit import rewrite, same
from tests.support.examples import examples

TEXT = """\
# head
kind: Deployment # the kind
metadata: {name: m, labels: {a: b}}
spec:
  template:
    # of the pods
    metadata:
      labels: {app: x} # labels
    spec:
      containers:
      - name: model   # main

        image: a
        args: ["--port=8080", on]
        ports:
        - name: http
          containerPort: 8080
        # end of ports

      # trailing
      empty:
      text: |
        two
        lines
"""


def only(text: str) -> ManifestDocument:
    (document,) = read(text, "file")
    return document


def changed(text: str, **places: Any) -> str:
    """Return the text after setting values by their path, such as spec__containers__0__image."""
    document = only(text)
    wanted = copy.deepcopy(document.value)
    for path, value in places.items():
        *steps, last = [int(step) if step.isdigit() else step for step in path.split("__")]
        parent = wanted
        for step in steps:
            parent = parent[step]
        parent[last] = value
    rewritten = rewrite(text, document, wanted)
    assert not rewritten.whole
    assert same(only(rewritten.text).value, wanted)
    return text[: document.start] + rewritten.text + text[document.end :]


def test_only_the_changed_lines_differ() -> None:
    after = changed(TEXT, spec__template__spec__containers__0__image="b").splitlines()
    differing = [(old, new) for old, new in zip(TEXT.splitlines(), after, strict=True) if old != new]
    assert differing == [("        image: a", "        image: b")]


def test_a_new_key_goes_below_the_last_one_and_before_the_comments_that_follow() -> None:
    after = changed("a:\n  b: 1 # one\n# two\nc: 3\n", a={"b": 1, "d": "x"})
    assert after == "a:\n  b: 1 # one\n  d: x\n# two\nc: 3\n"


def test_an_empty_value_becomes_a_block_below_its_key() -> None:
    assert changed("a:\n  b: # none\n  c: 1\n", a__b={"x": [1]}).startswith("a:\n  b:")
    assert only(changed("a:\nc: 1", a=["x"])).value == {"a": ["x"], "c": 1}


@pytest.mark.parametrize(
    ("before", "wanted", "after"),
    [
        ("- a # first\n- c\n", ["a", "b", "c"], "- a # first\n- b\n- c\n"),
        ("- a\n- b # last", ["a"], "- a\n"[:-1]),
        ("- {name: a}\n- {name: b}\n", [{"name": "b", "x": 1}], "- {name: b, x: 1}\n"),
        ("- name: a\n  x: 1\n", [{"x": 1}], "- x: 1\n"),
        ("a: 1\nb: 2\n", {"a": 1}, "a: 1\n"),
        ("a: {}\n", {"a": {"b": "true"}}, 'a: {b: "true"}\n'),
        ("a: |\n  x\n", {"a": "x\n", "b": 1}, "a: |\n  x\nb: 1\n"),
        ("a: 1\r\nb: 2\r\n", {"a": 3, "b": 2}, "a: 3\r\nb: 2\r\n"),
        ('{"a": 1}', {"a": 2}, '{"a": 2}'),
        ('{\n  "a": 1\n}', {"a": [2]}, '{\n  "a": [\n    2\n  ]\n}'),
    ],
)
def test_a_change_is_written_in_place(before: str, wanted: Any, after: str) -> None:
    rewritten = rewrite(before, only(before), wanted)
    assert not rewritten.whole
    assert rewritten.text == after


def test_a_change_behind_an_alias_writes_the_document_anew() -> None:
    text = "a: &x {b: 1}\nc: *x\n"
    rewritten = rewrite(text, only(text), {"a": {"b": 2}, "c": {"b": 1}})
    assert rewritten.whole
    assert only(rewritten.text).value == {"a": {"b": 2}, "c": {"b": 1}}


def test_a_merged_key_is_overridden_and_not_changed_for_others() -> None:
    text = "base: &x\n  b: 1\none:\n  <<: *x\n  c: 2\n"
    rewritten = rewrite(text, only(text), {"base": {"b": 1}, "one": {"b": 3, "c": 2}})
    assert only(rewritten.text).value == {"base": {"b": 1}, "one": {"b": 3, "c": 2}}
    assert "<<: *x" in rewritten.text


WORDS = st.sampled_from(
    ["a", "b", "name", "on", "0644", "1e3", "~", "", " x", "x: y", "# c", "- d", "é", "\u2028", "\x7f", "😀"]
)
SCALARS = st.none() | st.booleans() | st.integers(-9, 10**12) | st.floats(allow_nan=False, allow_infinity=False) | WORDS
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)


@given(TREES.filter(bool), TREES, st.booleans(), st.sampled_from([None, False, True]))
@settings(max_examples=examples(400))
def test_any_value_can_become_any_other(old: Any, new: Any, comments: bool, flow: bool | None) -> None:
    text = yaml.safe_dump(old, default_flow_style=flow, allow_unicode=True)
    if comments:
        text = "".join(f"{line}\n" for line in text.splitlines()) + "# end\n"
    documents = read(text, "file")
    if documents:
        rewritten = rewrite(text, documents[0], new)
        after = read(rewritten.text, "file")
        assert same([one.value for one in after], [new] if new is not None else [])


@given(TREES, TREES)
@settings(max_examples=examples(200))
def test_json_becomes_any_other_json(old: Any, new: Any) -> None:
    import json

    text = json.dumps({"a": old}, indent=2)
    rewritten = rewrite(text, only(text), {"a": new})
    assert json.loads(rewritten.text) == {"a": new}
