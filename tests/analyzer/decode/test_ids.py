"""The ids of an exchange that labels may use: that of the request, and a different one of the response."""

from __future__ import annotations

import pytest

from tests.analyzer.decode.exchanges import V1_PATH, decoded, tensor

REQUEST = {"inputs": [tensor("a", [1], [1])]}
RESPONSE = {"outputs": [tensor("p", [1], [1])]}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("request_id", "request_headers", "response_id", "response_headers", "ids"),
    [
        ("", "", "", "", (None, None)),
        ("body", "X-Request-Id: head\r\n", "", "", ("body", None)),
        ("body", "", "body", "X-Request-Id: other\r\n", ("body", None)),
        ("", "X-Request-Id: head\r\n", "assigned", "", ("head", "assigned")),
        ("", "ce-id: event\r\n", "", "ce-id: answer\r\n", ("event", "answer")),
        ("", "", "assigned", "X-Request-Id: head\r\n", ("assigned", None)),
        ("", "", "", "X-Request-Id: head\r\n", ("head", None)),
        ("", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n", "", "", (TRACE, None)),
        ("", f"traceparent: 00-{TRACE}-00f067aa0ba902b7-01\r\n", "assigned", "", ("assigned", None)),
        ("", "traceparent: nonsense\r\n", "", "", (None, None)),
        ("x" * 300, "", "y" * 300, "", ("x" * 128, "y" * 128)),
        ("z" * 300, "", "z" * 200, "", ("z" * 128, None)),
    ],
)
def test_ids_of_request_and_response(
    request_id: str, request_headers: str, response_id: str, response_headers: str, ids: tuple[str | None, str | None]
) -> None:
    found = decoded(
        {**REQUEST, "id": request_id},
        {**RESPONSE, "id": response_id},
        request_headers=request_headers,
        response_headers=response_headers,
    )
    assert (found.request_id, found.response_id) == ids


def test_without_ids_in_the_body_the_headers_are_used() -> None:
    found = decoded({"instances": [1]}, path=V1_PATH, request_headers="x-request-id: a\r\n")
    assert (found.request_id, found.response_id) == ("a", None)
