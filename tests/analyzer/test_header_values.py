"""No value of a header makes a parser raise: a table of all places that read one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, decode
from pilotfish.sidecar.analyzer.http.access import Access
from pilotfish.sidecar.control.webhook.delivery import parse_retry_after
from pilotfish.sidecar.control.webhook.signature import verify
from pilotfish.sidecar.labels.request import FeedbackError, read
from pilotfish.sidecar.system.accept import accepts_gzip, entity_tags
from pilotfish.sidecar.telemetry.exposition import Exposition
from pilotfish.sidecar.telemetry.scrape import ScrapeInput
from pilotfish.sidecar.wire.headers import Headers, encode_headers
from tests.analyzer.decode.exchanges import V1_PATH
from tests.integration.transcript import Event, track
from tests.support.examples import examples
from tests.support.records import make_record
from tests.telemetry.made import NOW, whole_report

SOURCES = Path(__file__).parents[2] / "sidecar"
BODY = b'{"instances":[[1,2]]}'
LABELS = json.dumps({"id": "a", "label": 1}).encode()


def track_both(name: str, value: bytes) -> None:
    """Pass a request and a response with the header to the tracker of the proxy."""
    field = name.encode() + b": " + value + b"\r\n"
    request = b"POST / HTTP/1.1\r\nHost: m\r\n" + field + b"Content-Length: 3\r\n\r\nabc"
    response = b"HTTP/1.1 200 OK\r\n" + field + b"Content-Length: 2\r\n\r\nok"
    interim = b"HTTP/1.1 103 x\r\n" + field + b"\r\n"
    for answer in (response, interim + response, interim + interim):
        listener = track([Event("client", request), Event("server", answer), Event("server", None)])
        assert len(listener.finished_exchanges) == listener.requested_count


def decode_both(name: str, value: bytes) -> None:
    """Decode an exchange with the header in the request, in the response, and twice."""
    block = name.encode() + b": " + value + b"\r\n"
    for request, response in ((block, b""), (b"", block), (block * 2, block * 2)):
        made = make_record(
            1,
            BODY,
            b'{"predictions":[1]}',
            target=V1_PATH,
            route=V1_PATH,
            request_headers=request,
            response_headers=response,
        )
        found = decode(made, Hints())
        assert isinstance(found, DecodedExchange) or found.reason != "decoder_error"
        assert not isinstance(found, DecodedExchange) or len(found.request_id or "") <= 128
    headers = Headers(block)
    assert {key for key, _ in headers if key == name} <= {name}
    assert len(headers.get_all(name)) >= (headers.get(name) is not None)


def as_text(value: bytes) -> str:
    """The value as aiohttp gives it to a handler."""
    return value.decode("utf-8", "surrogateescape")


def take_feedback(name: str, value: bytes) -> None:
    event = {"ce-specversion": "1.0", "ce-id": "a", "ce-source": "s", "ce-type": "t"}
    for headers in ({name: as_text(value)}, {**event, name: as_text(value)}):
        kind = as_text(value) if name == "content-type" else "application/json"
        try:
            read(LABELS, kind, CIMultiDict(headers))
        except FeedbackError as error:
            json.dumps(str(error)).encode()


def take_admin(name: str, value: bytes) -> None:
    token = Path(__file__)  # any file that is not a token refuses everybody
    given = CIMultiDict({"Host": "127.0.0.1", name: as_text(value)})
    given.add(name, as_text(value))
    for headers in (
        CIMultiDictProxy(CIMultiDict({"Host": "127.0.0.1", name: as_text(value)})),
        CIMultiDictProxy(given),
    ):
        for method in ("GET", "POST"):
            assert Access("127.0.0.1", token).refusal(method, "/report", headers) is not None
            Access("127.0.0.1").refusal(method, "/report", headers)


READING = ScrapeInput(report=whole_report(), page=None, control=None, now=NOW)
EXPOSITION = Exposition(lambda: READING)


def choose_format(_name: str, value: bytes) -> None:
    _, content_type = EXPOSITION.render(as_text(value))
    assert "charset=utf-8" in content_type


def take_retry_after(_: str, value: bytes) -> None:
    asked = parse_retry_after(as_text(value), 1.7e9)
    assert asked is None or asked >= 0


def check_signature(name: str, value: bytes) -> None:
    stamp, signature = (as_text(value), "v1=00") if name.endswith("timestamp") else ("1700000000", as_text(value))
    assert not verify(b"secret", stamp, b"{}", signature, now=1.7e9)


def choose_coding(name: str, value: bytes) -> None:
    assert accepts_gzip(as_text(value)) in (True, False)


def compare_tags(name: str, value: bytes) -> None:
    assert all(isinstance(tag, str) for tag in entity_tags(as_text(value)))


READERS: dict[str, tuple[Callable[[str, bytes], None], ...]] = {
    "accept": (choose_format,),
    "accept-encoding": (choose_coding,),
    "authorization": (take_admin,),
    "ce-id": (decode_both, take_feedback),
    "ce-source": (take_feedback,),
    "ce-specversion": (take_feedback,),
    "ce-type": (take_feedback,),
    "content-encoding": (decode_both,),
    "content-length": (track_both,),
    "content-type": (track_both, decode_both, take_feedback),
    "host": (take_admin,),
    "idempotency-key": (take_feedback,),
    "if-none-match": (compare_tags,),
    "inference-header-content-length": (decode_both,),
    "origin": (take_admin,),
    "pilotfish-signature": (check_signature,),
    "pilotfish-timestamp": (check_signature,),
    "retry-after": (take_retry_after,),
    "sec-fetch-dest": (take_admin,),
    "sec-fetch-site": (take_admin,),
    "traceparent": (decode_both,),
    "transfer-encoding": (track_both,),
    "upgrade": (track_both,),
    "user-agent": (track_both,),
    "x-request-id": (decode_both,),
}
NAMES_OF_OBJECTS = {"kubectl-client-side-apply", "modelmonitor-author"}  # constants with the form of a header
OTHERS = ("connection", "expect", "range", "te", "trailer", "x-forwarded-for")


def test_the_table_names_every_header_that_the_code_reads() -> None:
    files = [path for path in sorted(SOURCES.rglob("*.py")) if "demo" not in path.parts]
    text = re.sub(r"(?m)^ *>>>.*", "", "\n".join(path.read_text() for path in files))
    found = re.findall(
        r'(?:headers(?:\.get\(|\.getall\(|\[)|_listed\(request, )f?"([A-Za-z-]+)"(?!\] = )', text
    )  # headers.get("Accept"), headers["ce-id"]
    found += re.findall(r'"([A-Za-z-]+)" in headers', text)
    found += re.findall(
        r'^[A-Z_]+ = "((?!pilotfish-)[a-z]+-[a-z-]+|traceparent|(?:Pilotfish-)\w+)"$', text, re.MULTILINE
    )
    found += re.findall(r'REQUEST_IDS = \("([a-z-]+)", "([a-z-]+)"\)', text)[0]
    found += re.search(r"\(\?i:\(([a-z|-]+)\)\)", text)[1].split("|")  # type: ignore[index]  # of the framer
    names = {name.lower() for name in found} - {"ce-"} - NAMES_OF_OBJECTS
    assert names <= READERS.keys()
    assert READERS.keys() - names <= {"ce-source", "ce-type", "ce-id"}  # f"ce-{name}"


PIECES = (
    *(
        b"chunked",
        b"gzip",
        b"identity",
        b"application/json",
        b"application/openmetrics-text",
        b"text/html",
        b"version=",
    ),
    *(
        b"application/cloudevents+json",
        b"charset=",
        b"q=",
        b";",
        b",",
        b"=",
        b"-",
        b" ",
        b"\t",
        b"\r\n folded",
        b"\x00",
    ),
    *(b"\xb2", b"\xff", b"9" * 30, b"1.0", b"GMT", b"Bearer", b"Basic", b"00-", b"a" * 32),
)
VALUES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.integers().map(lambda number: str(number).encode()),
    st.lists(
        st.sampled_from(PIECES),
        max_size=6,
    ).map(b"".join),
)
LONG = (b"9" * 5000, b"," * 60_000, b"a" * 60_000, b" " * 60_000, b";q=" * 20_000, b"gzip," * 10_000, b"\xb2" * 9)


def read_everywhere(name: str, value: bytes) -> None:
    for reader in READERS.get(name, (track_both, decode_both, take_feedback, take_admin)):
        reader(name, value)


@pytest.mark.parametrize("name", [*READERS, *OTHERS])
def test_no_value_of_a_header_raises(name: str) -> None:
    @settings(max_examples=examples(150), database=None)
    @given(VALUES)
    @example(b"application/openmetrics-text; version=abc")
    @example(b"application/cloudevents+json")
    @example(b"Basic \xff=")
    def try_value(value: bytes) -> None:
        read_everywhere(name, value)

    try_value()
    for value in LONG:
        read_everywhere(name, value)


@given(st.lists(st.tuples(st.sampled_from(["a", "x-id"]), st.text(st.characters(max_codepoint=255), max_size=20))))
def test_a_header_block_gives_what_was_encoded(fields: list[tuple[str, str]]) -> None:
    block = encode_headers(fields)
    assert [name for name, _ in Headers(block)] == [name for name, _ in fields]
