"""The messages are understood by the release before and by the one after: the bytes here must never change."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.sync.messages import (
    MAX_SIGNALS_BYTES,
    Acknowledgement,
    MessageError,
    Pod,
    Signals,
    SyncRequest,
    SyncResponse,
    TickReport,
    decode,
    encode,
)
from tests.support.examples import examples

POD = {"namespace": "shop", "name": "m-0", "uid": "u"}
# of release 0.1: all that a request and a response must have
OLD_REQUEST = bytes.fromhex(
    "84a3706f6483a96e616d657370616365a473686f70a46e616d65a36d2d30a3756964a175a76d6f6e69746f72a16da565706f6368a3"
    "65"
    "2d30a57469636b739183a47469636b07a873657175656e636509a6636f756e7473c40101"
)
OLD_RESPONSE = bytes.fromhex("82ac61636b6e6f776c65646765649182a47469636b07a873657175656e636509aa67656e65726174696f6e02")
NEWER = {"version": 2, "shards": [1, 2], "later": {"a": None}}  # fields of a release to come


def test_the_request_of_the_first_release_is_understood() -> None:
    found = decode(OLD_REQUEST, SyncRequest)
    report = TickReport(tick=7, sequence=9, counts=b"\x01")
    assert found == SyncRequest(pod=Pod(**POD), monitor="m", epoch="e-0", ticks=(report,))
    assert (found.leaving, found.problem, found.complete_through) == (False, "", -1)


def test_the_response_of_the_first_release_is_understood() -> None:
    found = decode(OLD_RESPONSE, SyncResponse)
    assert found == SyncResponse(acknowledged=(Acknowledgement(tick=7, sequence=9),), generation=2)
    assert (found.learn, found.profile_hash, found.document) == (False, "", b"")


@pytest.mark.parametrize(("raw", "kind"), [(OLD_REQUEST, SyncRequest), (OLD_RESPONSE, SyncResponse)])
def test_fields_of_a_later_release_are_ignored(raw: bytes, kind: type[SyncRequest | SyncResponse]) -> None:
    plain = msgspec.msgpack.decode(raw)
    newer = msgspec.msgpack.encode({**plain, **NEWER, "version": 1})
    assert decode(newer, kind) == decode(raw, kind)
    assert decode(msgspec.msgpack.encode({**plain, **NEWER}), kind).version == 2


def test_signals_of_the_longest_names_fit_in_their_limit() -> None:
    names = {"namespace": "n" * 63, "name": "p" * 253, "uid": "u" * 36}
    signals = Signals(
        pod=Pod(**names),
        monitor="m" * 253,
        at=1.7e9,
        in_flight=2**40,
        latency_p99=1e9,
        concurrency=1e9,
        throttled=0.123456789,
        gpu_busy=0.123456789,
    )
    assert len(encode(signals)) <= MAX_SIGNALS_BYTES


@pytest.mark.parametrize("field", ["in_flight", "requests_per_second", "latency_p95", "quiet", "concurrency"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), -1.0, 1.8e308, 2**63])
def test_signals_with_a_number_that_is_no_load_are_refused(field: str, value: float) -> None:
    """The mean of all pods would be this number, so one pod would decide for all."""
    body = {"pod": {"namespace": "n", "name": "p", "uid": "u"}, "monitor": "m", "at": 1.7e9, field: value}
    with pytest.raises(MessageError):
        decode(msgspec.msgpack.encode(body), Signals)


@given(st.binary(max_size=200))
@settings(max_examples=examples(300), deadline=None)
def test_any_bytes_are_a_message_or_refused(body: bytes) -> None:
    for raw in (body, OLD_REQUEST[: len(body)] + body):
        for kind in (SyncRequest, SyncResponse, Signals):
            try:
                found = decode(raw, kind)
            except MessageError:
                continue
            assert isinstance(found, kind)
