"""Route templates: placeholders, user templates, and the bound on the length of a route."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.wire.routes import RouteTemplates


@pytest.mark.parametrize(
    ("target", "route"),
    [
        ("/v2/models/delays/infer", "POST /v2/models/delays/infer"),
        ("/v2/models/delays/versions/7/infer?x=1", "POST /v2/models/delays/versions/{number}/infer"),
        ("/users/-12.5/score", "POST /users/{number}/score"),
        ("/j/123e4567-e89b-12d3-a456-426614174000", "POST /j/{uuid}"),
        ("/blob/9f86d081884c7d65", "POST /blob/{hash}"),
        ("/t/dQw4w9WgXcQ-dQw4w9WgXcQ", "POST /t/{hash}"),
        ("/v1/models/half_plus_two:predict", "POST /v1/models/half_plus_two:predict"),
        ("/models/credit-risk-classifier-production", "POST /models/credit-risk-classifier-production"),
        ("http://host:80/a/1", "POST /a/{number}"),
        ("http://host", "POST /"),
        ("*", "POST *"),
        ("host:443", "POST {authority}"),
        ("/", "POST /"),
        ("//", "POST //"),
    ],
)
def test_variable_segments_become_placeholders(target: str, route: str) -> None:
    assert RouteTemplates().route("POST", target) == route


def test_user_templates_have_precedence_in_their_order() -> None:
    templates = RouteTemplates(("/score/{name}", "/score/{other}", "/a.b/{x}"))
    assert templates.route("POST", "/score/12?y") == "POST /score/{name}"
    assert templates.route("POST", "/score/12/13") == "POST /score/{number}/{number}"
    assert templates.route("POST", "/aXb/c") == "POST /aXb/c"


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/v1/a:b:predict", "/v1/{model}:predict"),
        ("/v1/a/x/b", "/v1/{model}/x/{row}"),
        ("/v1/a/x", "/v1/a/x"),
        ("/v1//x/b", "/v1//x/b"),
        ("/caf%C3%a9/7", "/caf\xc3\xa9/{row}"),
        ("/caf\xc3\xa9/7", "/caf\xc3\xa9/{row}"),
        ("/tea%20pot/7", "/tea pot/{row}"),
    ],
)
def test_fields_of_templates_match_within_a_segment(path: str, route: str) -> None:
    templates = ("/v1/{model}:predict", "/v1/{model}/x/{row}", "/caf\xc3\xa9/{row}", "/tea pot/{row}")
    assert RouteTemplates(templates).route("POST", path) == f"POST {route}"


@given(st.text(max_size=3000))
def test_any_target_has_a_route_of_bounded_length(target: str) -> None:
    assert len(RouteTemplates(("/x/{y}",)).route("GET", target)) <= 100


@pytest.mark.parametrize("method", ["GGET", "XXXX", "get", "", "POST2", "\u202eTEG"])
def test_all_other_methods_share_one_route(method: str) -> None:
    templates = RouteTemplates(["/score/{name}"])
    assert {templates.route(method, target) for target in ("/", "/score/a", "*", "/x/1")} == {"{method} *"}
