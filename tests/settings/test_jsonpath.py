"""The subset of JSONPath: what it accepts, and the errors for everything else."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.settings.jsonpath import MAX_STEPS, JsonPath, JsonPathError, parse_path


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("$", ()),
        ("$.rows[*]", ("rows", None)),
        ("$.rows[*].score", ("rows", None, "score")),
        ("$.a.*", ("a", None)),
        ("$[*]", (None,)),
        ("$[ 0 ][12].x", (0, 12, "x")),
        ("$['my-key'][\"a.b\"]", ("my-key", "a.b")),
        ("$['']", ("",)),
        ("$['[*]']", ("[*]",)),
        ("$['it\\'s']", ("it's",)),
        ("$['say \"x\"']", ('say "x"',)),
        ('$["say \\"x\\""]', ('say "x"',)),
        ("$['back\\\\slash\\\\']", ("back\\slash\\",)),
        ("$['\\u00e9\\n']", ("\u00e9\n",)),
        ("$['\\ud83d\\udc1f']", ("\N{FISH}",)),
        ("$.\u00e9t\u00e9._1", ("\u00e9t\u00e9", "_1")),
    ],
)
def test_supported_paths(text: str, steps: tuple[str | int | None, ...]) -> None:
    assert parse_path(text) == JsonPath(steps)


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("rows", "does not start with $", "$.rows[*]"),
        ("", "does not start with $", "$.rows[*]"),
        ("$.a..b", "a descendant, which is not supported at character 4", "name every key"),
        ("$.a[?(@.x)]", "a filter", "[*]"),
        ("$.a[ ?@.x]", "a filter", "[*]"),
        ("$.a[1:2]", "a slice", "[*]"),
        ("$.a[:]", "a slice", "[*]"),
        ("$.a[1,2]", "a union", "inputColumns"),
        ("$['a','b']", "a union", "inputColumns"),
        ("$.a[-1]", "a negative index", "[0]"),
        ("$.a.0", "an index after a dot", "[0]"),
        ("$.my-key", "a character that a key after a dot cannot have at character 5", "['my-key']"),
        ("$.a b", "with ' b'", "$['my-key']"),
        ("$[abc]", "a key without quotes", "['name']"),
        ("$.", "with '.'", "$.rows[*]"),
        ("$[", "with '['", "$.rows[*]"),
        ("$[]", "with '[]'", "$.rows[*]"),
        ("$['a", "with", "$.rows[*]"),
        ("$.a[01]", "with '[01]'", "$.rows[*]"),
        ("$['\\ud800']", "not a text of JSON", "escapes of JSON"),
        ("$['\\x']", "not a text of JSON", "escapes of JSON"),
        ('$["it\\\'s"]', "not a text of JSON", "escapes of JSON"),
        ("$['\\\"']", "not a text of JSON", "escapes of JSON"),
        ("$['\n']", "not a text of JSON", "escapes of JSON"),
        ("$" + ".a" * (MAX_STEPS + 1), "has 17 steps", "at most 16"),
    ],
)
def test_other_paths_are_refused_with_a_remedy(text: str, what: str, remedy: str) -> None:
    with pytest.raises(JsonPathError) as caught:
        parse_path(text)
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_the_name_of_a_path_is_its_last_key() -> None:
    names = {"$": "", "$[*]": "", "$.a[*].b": "b", "$.a[0][*]": "a"}
    assert {text: parse_path(text).name for text in names} == names
    assert [parse_path(text).many for text in names] == [False, True, True, True]


@given(st.text(max_size=40) | st.text("$.[]*'\"\\ab0-:,?u ", max_size=40).map(lambda text: f"${text}"))
def test_any_text_is_a_path_or_an_error(text: str) -> None:
    with contextlib.suppress(JsonPathError):
        steps = parse_path(text).steps
        assert text.startswith("$")
        assert len(steps) <= MAX_STEPS


@given(st.text(max_size=20).filter(lambda key: key.encode("utf-8", "ignore").decode() == key))
def test_every_key_can_be_written_in_either_quotes(key: str) -> None:
    double = json.dumps(key)
    single = "'" + double[1:-1].replace('\\"', '"').replace("'", "\\'") + "'"
    assert parse_path(f"$[{double}]").steps == (key,)
    assert parse_path(f"$[{single}]").steps == (key,)
