"""Load from Prometheus: saved responses, and queries to a server on the loopback."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.prometheus import PrometheusError
from pilotfish.sidecar.simulate.errors import TraceError
from pilotfish.sidecar.simulate.prometheus import fetch_range, read_range
from tests.support.examples import examples


def answer(*series: list[list[Any]], kind: str = "matrix") -> dict[str, Any]:
    result = [{"metric": {"job": "x"}, "values": values} for values in series]
    return {"status": "success", "data": {"resultType": kind, "result": result}, "warnings": []}


SERIES: list[list[Any]] = [
    [1767571200, "1.5"],
    [1767571260.5, "NaN"],
    [1767571320, "2"],
    [1767571380, "+Inf"],
    [1767571440, "3"],
]


def test_a_saved_range_query_is_a_trace_in_which_nan_is_missing() -> None:
    trace = read_range(json.dumps(answer(SERIES)).encode(), "t")
    assert trace.rates.tolist() == [1.5, 2, 3]
    assert trace.gaps == ((1767571200, 1767571320), (1767571320, 1767571440))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"status": "error", "error": "parse error"}, "'parse error'"),
        ({}, "status ''"),
        ([], "not a response of Prometheus"),
        (answer(SERIES, kind="vector"), "'vector', not a matrix"),
        (answer(), "0 series instead of 1"),
        (answer(SERIES, SERIES), "2 series instead of 1; aggregate the query"),
        (answer([[0, "1"], [60, "many"]]), "sample 1: the value 'many' is not a number"),
        (answer([[0, "1"], [60, "-1"]]), "sample 1: the value '-1' is not a request rate"),
        (answer([[0, "1"], [1e15, "1"]]), "sample 1: the time 1000000000000000.0"),
        (answer([[60, "1"], [0, "1"]]), "sample 1: the time 0.000 does not follow"),
        (answer([[60, 1]]), "not a response of Prometheus"),
        (answer([]), "0 samples"),
    ],
)
def test_an_unusable_response_is_refused_with_the_reason(given: Any, told: str) -> None:
    with pytest.raises((TraceError, PrometheusError)) as error:
        read_range(json.dumps(given).encode(), "t")
    assert told in str(error.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["matrix", "success", "1"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "data", "result", "resultType", "values", "metric"]), inner)
    ),
    max_leaves=12,
)


@given(JSON | st.fixed_dictionaries({"status": st.just("success"), "data": JSON}))
@settings(max_examples=examples(200))
def test_any_json_makes_a_trace_or_an_error_with_its_source(value: Any) -> None:
    try:
        trace = read_range(json.dumps(value).encode(), "t")
    except (TraceError, PrometheusError):
        return
    assert np.isfinite(trace.rates).all()


@contextmanager
def serving(
    status: int, body: bytes, location: str = ""
) -> Iterator[tuple[str, list[tuple[str, dict[str, list[str]]]]]]:
    """Answer each POST so, and yield the address and the requests: (authorization, form)."""
    seen: list[tuple[str, dict[str, list[str]]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = self.rfile.read(int(self.headers["Content-Length"])).decode()
            seen.append((self.headers.get("Authorization", ""), parse_qs(form)))
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_query_asks_for_a_step_that_prometheus_allows_and_sends_the_token() -> None:
    with serving(200, json.dumps(answer(SERIES)).encode()) as (url, seen):
        raw = fetch_range(url, "sum(rate(x[5m]))", 0.0, 7 * 86_400.0, token="secret")
    assert len(read_range(raw, "t").times) == 3
    ((authorization, form),) = seen
    assert authorization == "Bearer secret"
    assert form == {"query": ["sum(rate(x[5m]))"], "start": ["0.000"], "end": ["604800.000"], "step": ["60"]}


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (400, b'{"status": "error", "error": "invalid parameter"}', "'invalid parameter'; correct the query"),
        (401, b"", "give --token-file"),
        (404, b"<html>", "status 404; check the address"),
    ],
)
def test_a_refused_query_is_an_error_with_the_reason(status: int, body: bytes, told: str) -> None:
    with serving(status, body) as (url, _), pytest.raises(PrometheusError) as error:
        fetch_range(url, "x", 0.0, 60.0)
    assert told in str(error.value)


def test_a_redirect_is_refused_so_that_the_token_stays_with_the_server() -> None:
    with serving(200, b"{}") as (other, elsewhere), serving(307, b"", f"{other}/") as (url, _):
        with pytest.raises(PrometheusError, match="status 307"):
            fetch_range(url, "x", 0.0, 60.0, token="secret")
        assert elsewhere == []


@pytest.mark.parametrize(
    "url",
    [
        "prometheus:9090",
        "file:///etc/passwd",
        "http://u:p@host/",
        "http://",
        "http://h?x=1",
        "http://h:99999",
        "http://[::1",
    ],
)
def test_an_address_that_is_not_one_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(PrometheusError) as error:
        fetch_range(url, "x", 0.0, 60.0)
    assert "u:p" not in str(error.value)


def test_a_server_that_does_not_answer_is_an_error() -> None:
    with serving(200, b"{}") as (url, _):
        pass
    with pytest.raises(PrometheusError, match="no answer"):
        fetch_range(url, "x", 0.0, 60.0)
