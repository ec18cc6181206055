"""Manifests are read as kubectl reads them, and every bad file gets an error with its document and line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.inject.offline.documents import MAX_DEPTH, decode, read
from pilotfish.sidecar.inject.offline.errors import ManifestError
from pilotfish.sidecar.inject.offline.scalars import dump, plain_value
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", True),
        ("Off", False),
        ("y", "y"),
        ("~", None),
        ("0644", 420),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("08", 8.0),
        ("1:30", "1:30"),
        ("2026-11-29", "2026-11-29"),
        ("1e999", "1e999"),
        ("9" * 5000, "9" * 5000),
        (".inf", ".inf"),
    ],
)
def test_a_plain_scalar_has_the_value_that_kubectl_reads(text: str, value: Any) -> None:
    found = plain_value(text)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n---\nb: [1\nc: 2\n", "(document 2, line 4): not YAML"),
        ("a: 1\n---\n# x\n---\na: 1\na: 2\n", "(document 3, line 6): key 'a' appears twice"),
        ("a: !x 1\n", "(document 1, line 1): tag '!x'; write the value without a tag"),
        ("a: !!python/name:os.system x\n", "(document 1, line 1): tag"),
        ("a: !!int x\n", "(document 1, line 1): 'x' is not a int"),
        ("? [a]\n: 1\n", "a key is a list or an object"),
        ("a:\n- &x [*x]\n", "(document 1, line 2): an alias stands inside its own anchor"),
        ("a: *x\n", "line 1): not YAML"),
        ("a: 1\n  b: 2\n", "(document 1, line 2): not YAML"),
        ("a:\n  <<: 1\n", "a merge key (<<) needs objects"),
        ("a: \x01\n", "(document 1, line 1): not YAML (a character that YAML does not allow)"),
        ('{"a": 1}\n{"a": 1, "a": 2}', "(document 2, line 2): key 'a' appears twice"),
        ('{"a": NaN}', "NaN is not a JSON number"),
        ('{"a": "\\ud800"}', "half a surrogate pair"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ('{"a": ' + "[" * 200 + "]" * 200 + "}", "nested too deeply"),
        ("a: " + "[" * (MAX_DEPTH + 1), "nested too deeply"),
        ("{" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_file_gets_its_place_and_a_reason(text: str, expected: str) -> None:
    with pytest.raises(ManifestError) as caught:
        read(text, "file.yaml")
    assert str(caught.value).startswith("file.yaml (document ")
    assert expected in str(caught.value)


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(ManifestError, match="too many values once aliases are written out"):
        read("\n".join(lines), "file")


def test_bytes_that_are_not_utf_8_get_their_line() -> None:
    with pytest.raises(ManifestError, match=r"\(line 2\): byte 6 is not UTF-8"):
        decode(b"a: 1\nb\xff", "file")


def test_documents_keep_their_number_and_their_place() -> None:
    text = "\ufeff# none\n---\na: 1\n---\n---\nb: 2\n...\n"
    found = read(text, "file")
    assert [(one.number, one.value) for one in found] == [(1, {"a": 1}), (3, {"b": 2})]
    assert [text[one.start : one.end].strip() for one in found] == ["a: 1", "b: 2"]


def test_json_with_tabs_and_json_like_yaml_are_read() -> None:
    assert read('{\n\t"a":\t[1]\n}', "file")[0].value == {"a": [1]}
    assert read("{a: b} # flow style", "file")[0].value == {"a": "b"}


@given(st.text(max_size=60) | st.text("[]{}:,&*!|>-?'\"#%@`\n ab01~", max_size=60))
@settings(max_examples=examples(1000))
def test_any_text_is_read_or_refused(text: str) -> None:
    found = []
    with suppress(ManifestError):
        found = read(text, "file")
    assert all(0 <= one.start <= one.end <= len(text) for one in found)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x),
        max_leaves=9,
    )
)
@settings(max_examples=examples(500))
def test_what_is_written_is_read_as_the_same_value(value: Any) -> None:
    for flow in (False, True):
        found = read(dump(value, flow=flow), "file")
        assert [one.value for one in found] == ([value] if value is not None else [])
