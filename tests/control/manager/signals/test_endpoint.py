"""The options of the administrator's Prometheus."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pilotfish.sidecar.control.manager.signals.endpoint import (
    PrometheusEndpoint,
    add_prometheus_arguments,
    parse_endpoint,
)
from pilotfish.sidecar.errors import UsageError
from tests.support.tls import ONE


def parsed(*words: str) -> PrometheusEndpoint | None:
    """Return the endpoint of a command line."""
    parser = argparse.ArgumentParser()
    add_prometheus_arguments(parser)
    return parse_endpoint(parser.parse_args(words))


@pytest.mark.parametrize("url", ["http://prometheus:9090", "https://prom.example/tenant/", "http://[::1]:9090"])
def test_the_queries_go_to_the_given_url(url: str) -> None:
    endpoint = parsed("--prometheus-url", url)
    assert endpoint is not None
    assert endpoint.query_url == f"{url.rstrip('/')}/api/v1/query"


def test_without_a_url_there_is_no_endpoint() -> None:
    assert parsed() is None


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--prometheus-ca", "ca.crt"), "need --prometheus-url"),
        (("--prometheus-token", "token"), "need --prometheus-url"),
        (("--prometheus-url", "prometheus:9090"), "not a URL of HTTP"),
        (("--prometheus-url", "file:///etc/passwd"), "not a URL of HTTP"),
        (("--prometheus-url", "http://[::1"), "not a URL"),
        (("--prometheus-url", "http://p:99999"), "not a URL"),
        (("--prometheus-url", "https://user:secret@p"), "has a user or a password"),
        (("--prometheus-url", "http://p/?tenant=a"), "has a query"),
        (("--prometheus-url", "http://p", "--prometheus-token", "token"), "unencrypted"),
        (("--prometheus-url", "https://p", "--prometheus-ca", "missing.crt"), "cannot use --prometheus-ca"),
    ],
)
def test_an_unusable_option_is_refused_with_the_remedy(words: tuple[str, ...], text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parsed(*words)
    assert text in str(refused.value)
    assert "secret" not in str(refused.value)


def test_the_token_is_read_anew_for_each_request(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    endpoint = parsed("--prometheus-url", "https://p", "--prometheus-ca", str(ONE[0]), "--prometheus-token", str(token))
    assert endpoint is not None
    assert endpoint.headers() == {"Authorization": "Bearer first"}
    token.write_text("second")
    assert endpoint.headers() == {"Authorization": "Bearer second"}


@pytest.mark.parametrize("content", ["", "two words", "a\r\nHost: other", "ü"])
def test_a_token_that_is_no_word_is_never_sent(tmp_path: Path, content: str) -> None:
    token = tmp_path / "token"
    token.write_text(content)
    with pytest.raises(UsageError):
        PrometheusEndpoint("https://p", None, token).headers()
