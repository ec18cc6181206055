"""The data of the Secret: what is written is read again, and whatever else is in it is named and never an exception."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.certificates.issuing import create_authority, sign_server
from pilotfish.sidecar.certificates.secret import CERTIFICATES, KEYS, bundle, decode, encode
from tests.support.examples import examples
from tests.support.tls import ONE

pytestmark = pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")  # damage may make one

NOW = 1_800_000_000.0
FIRST, SECOND = create_authority(NOW), create_authority(NOW + 1000)
LEAF = sign_server(FIRST, ("localhost",), NOW).certificate
DATA = encode([FIRST, SECOND])
RAW = {name: base64.b64decode(text) for name, text in DATA.items()}
JSON = st.none() | st.booleans() | st.integers() | st.text(max_size=30) | st.lists(st.none(), max_size=2)


def test_what_is_written_is_read_again_newest_first() -> None:
    found = decode(DATA)
    assert [one.fingerprint for one in found.authorities] == [SECOND.fingerprint, FIRST.fingerprint]
    assert all(one.key is not None for one in found.authorities)
    assert found.damage == ()
    assert encode(found.authorities) == encode(reversed(found.authorities)) == DATA
    assert RAW[CERTIFICATES] == bundle([FIRST, SECOND])


def test_an_empty_secret_is_no_damage() -> None:
    assert decode(None) == decode({}) == decode({CERTIFICATES: "", KEYS: ""})
    assert decode({}).damage == ()


def test_a_certificate_that_is_not_of_an_authority_is_left_out() -> None:
    found = decode({**DATA, CERTIFICATES: base64.b64encode(RAW[CERTIFICATES] + LEAF).decode()})
    assert len(found.authorities) == 2
    assert found.damage == ("a certificate of ca.crt is not one of an authority",)


def test_a_key_of_another_kind_is_left_out() -> None:
    found = decode({**DATA, KEYS: base64.b64encode(RAW[KEYS] + ONE[1].read_bytes()).decode()})
    assert all(one.key is not None for one in found.authorities)


@settings(max_examples=examples(300))
@example(CERTIFICATES, 45, b"w")  # a version of X.509 that does not exist
@given(st.sampled_from([CERTIFICATES, KEYS]), st.integers(0, 1200), st.binary(max_size=40))
def test_damaged_bytes_never_raise_and_never_show_a_key(entry: str, position: int, damage: bytes) -> None:
    raw = RAW[entry]
    changed = raw[:position] + damage + raw[position + len(damage) :]
    found = decode({**DATA, entry: base64.b64encode(changed).decode()})
    assert len(found.authorities) <= 2
    assert all("BEGIN" not in text and len(text) < 100 for text in found.damage)
    encode(found.authorities)


@given(st.dictionaries(st.sampled_from([CERTIFICATES, KEYS, "other"]), JSON))
def test_any_data_is_read(data: dict[str, Any]) -> None:
    decode(data)
