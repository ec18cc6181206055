"""The proxy's settings file: what is written comes back, and any other content is refused or gives usable settings."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.proxy.sampler import Sampler
from pilotfish.sidecar.settings.proxy import (
    LARGEST,
    ProxySettings,
    ProxySettingsError,
    parse_proxy_settings,
    render_proxy_settings,
)
from pilotfish.sidecar.wire.routes import RouteTemplates
from tests.support.examples import examples

KEYS = ("maxRecordsPerSecond", "bodyLimit", "routes", "probes", "model", "later")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats() | st.text(max_size=5) | st.just("/{a}"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(KEYS), VALUES).map(json.dumps).map(str.encode) | st.binary(max_size=60))
@settings(max_examples=examples(300), deadline=None)
def test_any_content_is_refused_or_usable(raw: bytes) -> None:
    try:
        found = parse_proxy_settings(raw, "proxy.json")
    except ProxySettingsError:
        return
    assert 0 <= found.body_limit <= LARGEST
    Sampler(found.max_records_per_second)
    RouteTemplates(found.routes).route("POST", "/score/x")
    assert parse_proxy_settings(render_proxy_settings(found), "proxy.json") == found


@pytest.mark.parametrize("raw", [b"[" * 100_000, b'{"bodyLimit":' + b"9" * 400 + b"}", b'{"bodyLimit":1e400}'])
def test_extreme_numbers_and_depths_are_refused(raw: bytes) -> None:
    with pytest.raises(ProxySettingsError):
        parse_proxy_settings(raw, "proxy.json")


def test_a_document_without_keys_gives_the_defaults() -> None:
    assert parse_proxy_settings(b"{}", "proxy.json") == ProxySettings()
