"""Which requests pass the access control, by path, Host, token and signs of a browser's script."""

from __future__ import annotations

import base64
import string
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from pilotfish.sidecar.analyzer.http.access import OPEN_PATHS, Access, host_name, is_local_name

LOOPBACK, ANYWHERE = "127.0.0.1", "0.0.0.0"  # nothing listens there


def status(access: Access, path: str, fields: Mapping[str, str], method: str = "GET") -> int:
    """Return the status of the refusal, 200 without one."""
    refusal = access.refusal(method, path, CIMultiDictProxy(CIMultiDict(fields)))
    return refusal.status if refusal is not None else 200


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.0.0.1:9797", "[::1]:9797", "[fe80::1%25eth0]:9797", "10.1.2.3", "127.1", "LOCALHOST:9797",
        "localhost.", "a.localhost", "pilotfish", "pilotfish:9797", "model.ml.svc", "model.ml.svc.cluster.local:9797",
        "host.docker.internal", "laptop.local", "0x7f000001",
    ],
)  # fmt: skip
def test_addresses_and_names_outside_the_public_dns_pass(host: str) -> None:
    for bound in (LOOPBACK, ANYWHERE):
        assert status(Access(bound), "/report", {"Host": host}) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:9797", "127.0.0.1.evil.example", "model.ml", "localhost.evil.example.", "a.b"],
)
def test_a_name_of_the_public_dns_is_refused_without_a_token(host: str) -> None:
    for path in ("/", "/report", "/config", "/rows", "/profile", "/none"):
        assert status(Access(LOOPBACK), path, {"Host": host}) == 403
        assert status(Access(ANYWHERE), path, {"Host": host}) == 403
    for path in OPEN_PATHS:  # Prometheus and probes may reach another machine by any name
        assert status(Access(LOOPBACK), path, {"Host": host}) == 403
        assert status(Access(ANYWHERE), path, {"Host": host}) == 200


def test_a_name_that_the_operator_gave_passes() -> None:
    allowing = Access(LOOPBACK, names=["Drift.Example."])
    assert status(allowing, "/report", {"Host": "drift.example:9797"}) == 200
    assert status(allowing, "/metrics", {"Host": "DRIFT.example."}) == 200
    assert status(allowing, "/report", {"Host": "a.drift.example"}) == 403
    assert status(Access("drift.example"), "/report", {"Host": "drift.example:9797"}) == 200


def test_with_a_token_any_name_passes(token: Path) -> None:
    fields = {"Host": "evil.example", "Authorization": "Bearer s3cret"}
    assert status(Access(LOOPBACK, token), "/report", fields) == 200
    assert status(Access(LOOPBACK, token), "/report", {"Host": "evil.example"}) == 401


@pytest.mark.parametrize("host", ["", "a b", "user@a", "a/b", "a:b", "a:1:2", "[::1", "::1", "[x]", "a\\b", ":80", "."])
def test_an_invalid_host_is_a_bad_request(host: str) -> None:
    assert host_name(host) is None
    for path in ("/report", *OPEN_PATHS):
        assert status(Access(ANYWHERE), path, {"Host": host}) == 400


def test_a_missing_or_repeated_host_is_a_bad_request() -> None:
    twice = CIMultiDictProxy(CIMultiDict([("Host", "localhost"), ("host", "localhost")]))
    for required in (True, False):
        refusal = Access(LOOPBACK).refusal("GET", "/metrics", twice, host_required=required)
        assert refusal is not None
        assert refusal.status == 400
    assert status(Access(LOOPBACK), "/metrics", {}) == 400
    empty: CIMultiDictProxy[str] = CIMultiDictProxy(CIMultiDict())
    assert Access(LOOPBACK).refusal("GET", "/metrics", empty, host_required=False) is None  # a probe by HTTP/1.0


@pytest.mark.parametrize(
    ("method", "fields"),
    [
        ("GET", {"Sec-Fetch-Dest": "empty"}),
        ("GET", {"Sec-Fetch-Dest": "image"}),
        ("POST", {"Origin": "http://evil.example"}),
        ("PUT", {"Origin": "null"}),
        ("POST", {"Sec-Fetch-Site": "same-origin"}),
    ],
)
def test_scripts_and_forms_of_a_page_are_refused_even_with_the_token(
    token: Path, method: str, fields: dict[str, str]
) -> None:
    known = {"Host": "localhost", "Authorization": "Bearer s3cret"}
    assert status(Access(LOOPBACK, token), "/profile", known, method) == 200
    assert status(Access(LOOPBACK, token), "/profile", known | fields, method) == 403


@pytest.mark.parametrize(("content", "mode"), [("", 0o600), (" \n", 0o600), ("x" * 5000, 0o600), ("s3cret", 0o666)])
def test_a_token_file_that_cannot_be_used_opens_nothing(token: Path, content: str, mode: int) -> None:
    token.write_text(content)
    token.chmod(mode)
    for given_ in ("", "Bearer", f"Bearer {content}", "Basic Og=="):
        assert status(Access(LOOPBACK, token), "/report", {"Host": "a", "Authorization": given_}) == 401
    assert status(Access(LOOPBACK, token), "/metrics", {"Host": "a"}) == 200


@given(st.text(), st.binary())
def test_any_other_authorization_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "token"
    path.write_text("s3cret")
    path.chmod(0o600)
    encoded = base64.b64encode(raw).decode()
    for authorization in (text, f"Bearer {text}x", f"Basic {encoded}", f"Basic {text}"):
        assert status(Access(LOOPBACK, path), "/report", {"Host": "a", "Authorization": authorization}) == 401


@given(st.text())
def test_any_host_is_valid_or_not(text: str) -> None:
    name = host_name(text)
    assert name is None or name == name.lower()


LABEL = st.text(string.ascii_lowercase, min_size=1, max_size=9)


@given(st.lists(LABEL, min_size=1, max_size=3), st.sampled_from(("com", "dev", "example", "ml", "localhost-x")))
def test_no_name_below_a_public_domain_is_local(labels: list[str], top: str) -> None:
    assert not is_local_name(".".join([*labels, top]))
