"""Records with any values in their fields and any bytes in their bodies: each one is counted, and none raises."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel.record import Record
from tests.analyzer.feedback.made import labelled
from tests.analyzer.made import SECOND, T0, pipeline
from tests.support.examples import examples
from tests.support.records import make_record

TIMES = st.integers(0, 2**64 - 1) | st.sampled_from([0, T0, T0 - 1, T0 + 10**18, 2**63, 2**64 - 1])
SHORT = st.integers(0, 2**16 - 1)
BODIES = st.sampled_from(
    [b"", b"{", b"NaN", b'{"inputs":[]}', b'{"instances":[[1e400]]}', b'{"instances":' + b"[" * 5000, b"\x1f\x8b"]
) | st.binary(max_size=100)  # fmt: skip
HEADERS = st.sampled_from(
    [b"", b"\r\n", b"Content-Encoding: gzip\r\n", b"Content-Type: application/json\r\nX-Request-Id: \xff\r\n"]
) | st.binary(max_size=60)  # fmt: skip
RECORDS = st.fixed_dictionaries(
    {
        **dict.fromkeys(("at_ns", "first_byte_ns", "duration_ns", "request_bytes", "response_bytes"), TIMES),
        **dict.fromkeys(("status", "flags", "listener"), SHORT),
        **dict.fromkeys(("method", "protocol"), st.sampled_from(["POST", "", "http/1.1", "\xff"])),
        "target": st.sampled_from(["/v2/models/m/infer", "/v1/models/m:predict", "/invocations", "", "\0", "/%ff?%"]),
        "route": st.text(max_size=9),
        **dict.fromkeys(("request_body", "response_body"), BODIES),
        **dict.fromkeys(
            ("request_headers", "response_headers", "request_trailers", "response_trailers"), HEADERS
        ),
    }
)  # fmt: skip


@pytest.mark.long
@pytest.mark.timeout(600)
@given(st.lists(RECORDS, max_size=8))
@settings(max_examples=examples(200), deadline=None)
def test_each_record_is_counted(found: list[dict[str, object]]) -> None:
    made = pipeline(labelled())
    records: list[Record] = [make_record(number, **fields) for number, fields in enumerate(found, 1)]  # type: ignore[arg-type]
    for number, record in enumerate(records, 1):
        made.handle_record(record, T0 + number * SECOND)
        assert made.ledger.position == number
        made.advance(T0 + number * 20 * SECOND)
    made.state()
