"""Request targets: protocol, model and version are read from the path as a server sees it, after percent-decoding."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode.targets import compile_template, parse_target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/v1/models/m:predict", ("v1", "m", None)),
        ("/v1/models/m%3Apredict", ("v1", "m", None)),
        ("/v1/models/m%3apredict", ("v1", "m", None)),
        ("/v1/models/m%3A%70redict?x=%2F", ("v1", "m", None)),
        ("/%76%31/models/m:predict", ("v1", "m", None)),
        ("/v1/models/m/versions/2%3Apredict", ("v1", "m", "2")),
        ("/v1/models/m/labels/canary:predict", ("v1", "m", "canary")),
        ("/v1/models/m:predict/", ("v1", "m", None)),
        ("//v1//models/m:predict", ("v1", "m", None)),
        ("/a/prefix/v1/models/m%3Apredict", ("v1", "m", None)),
        ("http://host:8080/v1/models/m%3Apredict?x", ("v1", "m", None)),
        ("HTTP://host/v2/models/m/infer", ("oip", "m", None)),
        ("/v1/models/org%2Fm%3Apredict", ("v1", "org/m", None)),
        ("/v1/models/m%3Av2:predict", ("v1", "m:v2", None)),
        ("/v2/models/m/%69nfer", ("oip", "m", None)),
        ("/v2/models/m/versions/3/infer/", ("oip", "m", "3")),
        ("/v2/models/org%2fm/infer", ("oip", "org/m", None)),
        ("/v2/models/caf%C3%A9/infer", ("oip", "caf\u00e9", None)),
        ("/v2/models/m/../n/./infer", ("oip", "n", None)),
        ("/v2/models/m/%2e%2e/n/infer", ("oip", "n", None)),
        ("/v2/models/m/infer#x", ("oip", "m", None)),
    ],
)
def test_a_path_is_compared_after_percent_decoding(target: str, expected: tuple[str, str, str | None]) -> None:
    found = parse_target(target)
    assert (found.protocol, found.model, found.version) == expected
    assert found.inference


@pytest.mark.parametrize(
    "target",
    [
        "/v1/models/m%253Apredict",
        "/v1%2Fmodels%2Fm:predict",
        "/v2/models/m%2Finfer",
        "/v2/models/infer",
        "/v1/models/:predict",
        "/v1/models/m:explain",
        "/predict?next=/v1/models/m:predict",
    ],
)
def test_other_paths_identify_no_protocol(target: str) -> None:
    assert parse_target(target).protocol == ""


@pytest.mark.parametrize(
    "target",
    [
        "/v2/",
        "/v2",
        "/%762",
        "/v2/health/ready",
        "/v2/h%65alth/ready",
        "/a/v2//repository/index",
        "/v1/models/m:explain",
    ],
)
def test_administrative_paths_are_not_inference(target: str) -> None:
    assert not parse_target(target).inference


@pytest.mark.parametrize(
    "target", ["", "/", "*", "//", "/..", "/%2e%2e/%2E", "host:443", "http://", "http://host", "/?", "#"]
)
def test_a_target_without_a_path_has_no_segments(target: str) -> None:
    found = parse_target(target)
    assert (found.protocol, found.segments, found.inference) == ("", (), True)


@given(st.text(st.characters(max_codepoint=255)))
def test_any_target_can_be_parsed(target: str) -> None:
    assert all(segment not in {"", ".", ".."} for segment in parse_target(target).segments)


def _encode(text: str, data: st.DataObject) -> str:
    """Return `text` with some characters percent-encoded, in either case."""
    return "".join(
        "".join(data.draw(st.sampled_from((f"%{byte:02x}", f"%{byte:02X}"))) for byte in character.encode())
        if not character.isascii() or quote(character, safe="") != character or data.draw(st.booleans())
        else character
        for character in text
    )


NAMES = st.text(min_size=1, max_size=8).filter(
    lambda name: name not in {".", ".."} and name.encode("utf-8", "ignore").decode() == name
)


@given(NAMES, NAMES, st.data())
def test_every_encoding_of_a_path_names_the_same_model(model: str, version: str, data: st.DataObject) -> None:
    prefix = data.draw(st.sampled_from(["", "/p", "/", "http://h"]))
    found = parse_target(
        f"{prefix}/{_encode('v2', data)}/models/{_encode(model, data)}/versions/{_encode(version, data)}/infer"
    )
    assert (found.protocol, found.model, found.version) == ("oip", model, version)
    found = parse_target(f"{prefix}/v1/{_encode('models', data)}/{_encode(model + ':predict', data)}")
    assert (found.protocol, found.model) == ("v1", model)


@pytest.mark.parametrize(
    ("template", "target", "matches"),
    [
        ("/score", "/score", True),
        ("/score", "/sc%6Fre/", True),
        ("/score", "/a/score", False),
        ("/score/{name}", "/score/a%2Fb?x", True),
        ("/score/{name}", "/score", False),
        ("/models/{name}:run", "/models/m%3Arun", True),
        ("/models/{name}:run", "/models/m:stop", False),
        ("/sc%6Fre", "/score", True),
        ("/a.c", "/abc", False),
        ("/{a}-{b}-c", "/1-2-c", True),
        ("/{a}-{b}-c", "/1-2-3-c", True),
        ("/{a}-{b}-c", "/--c", False),
        ("/{a}-{b}-c", "/1--c", False),
        ("/{a}{b}", "/1", False),
        ("/{a}{b}", "/12", True),
        ("/x{a}x", "/x", False),
        ("/x{a}x", "/xx", False),
        ("/x{a}x", "/xxx", True),
        ("/", "/?x", True),
    ],
)
def test_templates_are_compared_with_decoded_segments(template: str, target: str, matches: bool) -> None:
    assert compile_template(template).matches(parse_target(target)) is matches


@given(
    st.lists(st.sampled_from(["{x}", "a", "b", "-"]), min_size=1, max_size=5), st.text("ab-", min_size=1, max_size=8)
)
def test_a_field_of_a_template_is_one_or_more_characters(parts: list[str], segment: str) -> None:
    expected = re.fullmatch("".join(".+" if part == "{x}" else re.escape(part) for part in parts), segment)
    assert compile_template("/" + "".join(parts)).matches(parse_target("/" + segment)) is (expected is not None)
