"""Any body and any paths: rows or a counted skip, and never a value in another row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, OwnJson, decode
from pilotfish.sidecar.settings.jsonpath import JsonPath, parse_path
from tests.analyzer.decode.exchanges import decoded, record
from tests.analyzer.decode.test_fuzz import SCALARS, require_sound
from tests.analyzer.decode.test_own_json import hints
from tests.support.examples import examples

KEYS = st.sampled_from(["rows", "a", "b", "a.b", "it's", '"', "\N{FISH}", "b64", "", "id"])
BODIES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
STEPS = KEYS | st.integers(0, 3) | st.none()
PATHS = st.lists(STEPS, max_size=4).map(lambda steps: JsonPath(tuple(steps)))
SELECTIONS = PATHS | st.lists(st.tuples(KEYS, PATHS), min_size=1, max_size=3, unique_by=lambda pair: pair[0]).map(tuple)
OWN = st.builds(
    OwnJson,
    rows=SELECTIONS,
    one_row=st.booleans(),
    names=st.none() | PATHS,
    predictions=st.none() | SELECTIONS,
    id=st.none() | st.lists(KEYS | st.integers(0, 3), max_size=3).map(lambda steps: JsonPath(tuple(steps))),
)
REFERENCES = st.builds(
    Hints,
    protocol=st.just("json"),
    inputs=st.sampled_from([(), ("a",), ("a", "b"), ("a.b", "b", "id")]),
    outputs=st.sampled_from([(), ("a",), ("p",), ("p", "q")]),
    arrays=st.sampled_from([frozenset(), frozenset(["a"]), frozenset(["a", "p"])]),
    own=OWN,
)


def values_in(tree: Any) -> int:
    inner = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return 1 + sum(map(values_in, inner))


@settings(max_examples=examples(500))
@given(BODIES, BODIES, REFERENCES)
@example({"b64": [1]}, [], Hints(protocol="json", own=OwnJson(rows=(("b64", JsonPath(("b64", None))),))))
def test_any_body_and_any_paths_give_rows_or_a_counted_skip(request: Any, response: Any, given_hints: Hints) -> None:
    found = decode(record(request, response, path="/score"), given_hints)
    require_sound(found)
    if isinstance(found, DecodedExchange):
        assert found.inputs.count <= values_in(request)
        assert found.outputs is None or found.outputs.count == found.inputs.count


def text_of(path: JsonPath) -> str:
    """Return a path as text, with quoted keys."""
    return "$" + "".join("[*]" if step is None else f"[{json.dumps(step)}]" for step in path.steps)


@given(PATHS)
def test_every_path_survives_the_way_through_its_text(path: JsonPath) -> None:
    assert parse_path(text_of(path)) == path


PLAIN = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=3)


@pytest.mark.long
@given(st.lists(st.fixed_dictionaries({"a": PLAIN, "b": PLAIN}), min_size=1, max_size=5), st.booleans())
def test_predictions_stay_with_their_rows(rows: list[dict[str, Any]], columns: bool) -> None:
    expected = {"a": [row["a"] for row in rows], "b": [row["b"] for row in rows]}
    request = {"rows": [{"n": index} for index in range(len(rows))]}
    path = "$.r" if columns and len(rows) > 1 else "$.r[*]"
    found = decoded(request, {"r": expected if path == "$.r" else rows}, hints("$.rows[*]", path), path="/score")
    assert found.inputs.columns == {"n": list(range(len(rows)))}
    assert found.outputs is not None
    assert found.outputs.columns == expected
