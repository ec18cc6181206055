"""Each blind spot, provoked through a served analyzer: seen in log, metric, /readyz, report and page, until it ends."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.analyzer import app as analyzer
from pilotfish.sidecar.analyzer.visibility import watch
from pilotfish.sidecar.channel import layout
from pilotfish.sidecar.channel.record import EVENT_STREAM, REQUEST_TRUNCATED, Record
from pilotfish.sidecar.report.schema import BLIND_REASONS
from tests.analyzer.made import profile, record, tensor
from tests.analyzer.test_http import Served, served
from tests.support.records import HEADERS, make_record
from tests.support.waiting import eventually

HEAD = "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: m}\nspec:\n"
SPEC = "  model: {name: m}\n  profiles: [{path: profile.json}]\n  drift: {tick: 1s, falseAlarms: {count: 1, per: 1d}}\n"
Step = Callable[[Served], Awaitable[None]]


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(watch, "GRACE_SECONDS", 0.0)


@cache
def labelled() -> Profile:
    """Return a profile of a regression with labels."""
    random = np.random.default_rng(3)
    amount = random.normal(size=3000)
    columns = {"amount": amount, "score": amount, "truth": amount + random.normal(size=3000)}
    return build_profile(columns, sides={"score": "prediction", "truth": "label"}, exchangeable=True, model="m")


@dataclass(frozen=True)
class Case:
    """A blind spot: how to provoke it, how to end it, and words of its text."""

    reason: str
    blind: Step
    words: tuple[str, ...]
    end: Step | None = None
    total: bool = True
    status: str = "blind"
    spec: str = SPEC
    used: Callable[[], Profile] = profile


def step(*records: Record, age: float = 0.0) -> Step:
    async def send(here: Served) -> None:
        await here.proxy.send(*records, age=age)

    return send


def after_measured(*records: Record) -> Step:
    async def send(here: Served) -> None:
        await here.proxy.send(record(1))
        await eventually(lambda: here.app.report.rows, what="a measured row")
        await here.proxy.send(*records)

    return send


def words_of_page(**words: int) -> Step:
    async def write(here: Served) -> None:
        for name, value in words.items():
            word = getattr(layout, name) if name.startswith("AT_") else layout.connection(name)
            here.proxy.set(word, value)

    return write


def dropped(outcome: str, reason: str, amount: int = 30) -> Step:
    async def count(here: Served) -> None:
        here.proxy.count(outcome, reason, amount)

    return count


async def nothing(_: Served) -> None:
    """Leave it to the document."""


async def http2(here: Served) -> None:
    here.proxy.page.add(layout.connection("opaque"), 6)
    here.proxy.page.add(layout.connection("opaque_bytes_in"), 4000)
    here.proxy.page.add(layout.downgrade("http2"), 6)


async def stale(here: Served) -> None:
    here.proxy.set(layout.AT_HEARTBEAT, time.time_ns() - 60 * 10**9)


async def fresh(here: Served) -> None:
    here.proxy.set(layout.AT_HEARTBEAT, time.time_ns() + 3600 * 10**9)


async def late(here: Served) -> None:
    await here.proxy.send(record(1))
    await eventually(lambda: here.app.report.ticks.closed_total, what="a closed tick")
    await here.proxy.send(*[record(1, amounts=[0.5] * 4)] * 30, age=100.0)


def with_decode(decode: str) -> str:
    return f"{SPEC}  traffic: {{decode: {decode}}}\n"


GOOD = step(*[record(1)] * 80)
CLIENT_NAMES = ("price", "colour", "/score", "samples")  # only /report with a token may show what a client sent
JSON_BODY = b'{"rows": [{"age": 41}]}'


def many(amount: int = 30, **fields: Any) -> tuple[Record, ...]:
    request = fields.pop("request", record(1).request_body)
    return (make_record(1, request, record(1).response_body, **fields),) * amount


def named(**columns: list[object]) -> bytes:
    return json.dumps({"inputs": [tensor(name, values) for name, values in columns.items()]}).encode()


def answered(name: str, *, body: bytes | None = None, **headers: str) -> tuple[Record, ...]:
    """Return measured exchanges whose response has the prediction `name`, or this body."""
    raw = json.dumps({"outputs": [tensor(name, [0.1]), tensor("other", [0.1])]}).encode() if body is None else body
    lines = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in headers.items())
    return (record(1)._replace(response_body=raw, response_headers=HEADERS + lines.encode()),) * 30


def labels(*, known: bool, value: object, header: str = "x-request-id") -> Step:
    """Send 30 exchanges with ids in the header, then a label for each."""

    async def send(here: Served) -> None:
        request = json.dumps({"inputs": [tensor("amount", [0.5])]}).encode()
        answer = json.dumps({"outputs": [tensor("score", [0.5])]}).encode()
        first = here.proxy.sent
        ids = [f"r{first + number}" for number in range(30)]
        heads = [f"{header}: {name}\r\n".encode() for name in ids]
        await here.proxy.send(*(make_record(1, request, answer, request_headers=HEADERS + head) for head in heads))
        items = [{"id": name if known else f"no-{name}", "label": value} for name in ids]
        status, text = await here.send(
            "POST", "/v1/feedback", json.dumps({"feedback": items}).encode(), {"Content-Type": "application/json"}
        )
        assert status == 200, text

    return send


CASES = [
    Case("idle", nothing, ("drift.tick", "ten"), status="idle", spec=SPEC.replace("1s", "ten")),
    Case("no_proxy", stale, ("the heartbeat of the proxy is",), fresh, status="no_proxy"),
    Case("no_reader", words_of_page(AT_READER=0), ("no_reader",), words_of_page(AT_READER=1), status="no_reader"),
    Case(
        "upstream_unreachable",
        words_of_page(upstreams=1, upstreams_unreachable=1),
        ("1 of 1", "--upstream"),
        words_of_page(upstreams=1, upstreams_unreachable=0),
        status="upstream_unreachable",
    ),
    Case(
        "upstream_unreachable",
        words_of_page(upstreams=2, upstreams_unreachable=1),
        ("1 of 2",),
        words_of_page(upstreams=2, upstreams_unreachable=0),
        total=False,
    ),
    Case(
        "refused",
        words_of_page(accepted=30, refused_descriptors=10, refused_limit=0),
        ("could not serve 10 recent clients", "10 for lack of a free descriptor (raise the limit of open files)"),
        words_of_page(accepted=100),
        total=False,
    ),
    Case(
        "refused",
        words_of_page(accepted=30, refused_descriptors=0, refused_limit=10),
        ("could not serve 10 recent clients", "raise --max-connections"),
        words_of_page(accepted=100),
        total=False,
    ),
    Case("opaque", http2, ("HTTP/2", "nothing else was measured"), GOOD),
    Case("not_recorded", dropped("dropped", "channel_full"), ("None of the last 30", "30 channel_full"), GOOD),
    Case("not_recorded", dropped("dropped", "capture_budget"), ("bodyLimit",), GOOD),
    Case(
        "not_recorded",
        dropped("sampled_out", "rate"),
        ("maxRecordsPerSecond is 0",),
        spec=SPEC + "  traffic: {maxRecordsPerSecond: 0}\n",
    ),
    Case("undecoded", step(*many(request=JSON_BODY, target="/score")), ("unknown_protocol", "decode"), GOOD),
    Case(
        "undecoded",
        step(*many(request=JSON_BODY, target="/score")),
        ("no_match", "spec.traffic.decode.rows selects nothing in the body: '$.instances[*]'"),
        spec=with_decode('{rows: "$.instances[*]"}'),
    ),
    Case(
        "undecoded",
        step(*many(request=JSON_BODY, target="/score")),
        (
            "no path of spec.traffic.decode.inputColumns",
            "'$.rows.a' for 'amount'",
            "write [*] where the body has a list",
        ),
        spec=with_decode('{inputColumns: {amount: "$.rows.a", color: "$.rows[*].c"}}'),
    ),
    Case(
        "predictions_unread",
        step(*many(request=b'{"rows": [{"amount": 0.5, "color": "red"}]}', target="/score")),
        ("spec.traffic.decode.predictions selects nothing in the body: '$.results[*].p'",),
        spec=with_decode('{rows: "$.rows[*]", predictions: "$.results[*].p"}'),
        total=False,
    ),
    Case(
        "inputs_absent",
        step(*many(request=b'{"rows": [{"amount": 0.5, "color": "red"}]}', target="/score")),
        ("select no value that fits the reference: '$.rows' for 'amount', '$.none' for 'color'", "write [*]"),
        spec=with_decode('{inputColumns: {amount: "$.rows", color: "$.none"}}'),
    ),
    Case(
        "inputs_absent",
        step(*many(request=b'{"rows": [{"size": 0.5}]}', target="/score")),
        ("spec.traffic.decode.inputColumns has no path for them",),
        spec=with_decode('{inputColumns: {size: "$.rows[*].size"}}'),
    ),
    Case("undecoded", step(*many(request=b'{"samples": []}')), ("wrong_structure", "decode"), GOOD),
    Case(
        "undecoded",
        step(*many(request_headers=b"Content-Type: image/png\r\n", target="/score", request=b"age,city\n41,Bern\n")),
        ("content_type",),
        GOOD,
    ),
    Case("undecoded", step(*many(request_headers=HEADERS + b"Content-Encoding: br\r\n")), ("content_encoding",), GOOD),
    Case("undecoded", step(*many(target="/v2/models/other/infer")), ("other_model", "spec.model.name"), GOOD),
    Case("undecoded", step(*many(target="/v2/models/m/explain")), ("not_inference",), GOOD),
    Case("undecoded", step(*many(flags=REQUEST_TRUNCATED)), ("truncated", "bodyLimit"), GOOD),
    Case("undecoded", step(*many(status=500)), ("error_status", "model's log"), GOOD),
    Case("undecoded", step(*many(5, request=JSON_BODY, target="/score")), ("None of the last 5",), GOOD),
    Case(
        "undecoded",
        step(*((*many(1), *many(3, request=JSON_BODY, target="/score")) * 10)),
        ("Only 10 of the last 40", "spec.traffic.probes"),
        GOOD,
        total=False,
    ),
    Case("undecoded", after_measured(*many(25, status=503)), ("error_status",), GOOD, total=False),
    Case(
        "undecoded", after_measured(*many(120, target="/v1/models/m:classify")), ("not_inference",), GOOD, total=False
    ),
    Case("no_prediction_requests", dropped("sampled_out", "method"), ("other than POST",), step(*many(1)), total=False),
    Case(
        "no_profile", nothing, ("'8'", "'7'"), spec='  model: {version: "8"}\n  profiles: [{version: "7", path: p}]\n'
    ),
    Case(
        "idle",
        nothing,
        ("cluster only",),
        status="idle",
        spec="  profiles: [{configMap: cm}]\n",
    ),
    Case(
        "nothing_watched",
        nothing,
        ("ignores all",),
        spec=SPEC.replace(
            "1s,", "1s, features: {amount: {ignore: true}, color: {ignore: true}, score: {ignore: true}},"
        ),
    ),
    Case("inputs_absent", step(*many(request=named(price=[1.0], colour=[2.0]))), ("amount", "color", "lack"), GOOD),
    Case("inputs_absent", step(*many(request=named(amount=[None], color=[None]))), ("null",), GOOD),
    Case("columns_absent", step(*many(request=named(amount=[1.0]))), ("'color'", "lack"), GOOD, total=False),
    Case(
        "columns_absent",
        step(*many(request=named(amount=["much"], color=["red"]))),
        ("'amount'", "another type"),
        GOOD,
        total=False,
    ),
    Case("predictions_absent", step(*answered("result")), ("'score'",), GOOD, total=False),
    Case("predictions_unread", step(*answered("", body=b'{"result": 1}')), ("wrong_structure",), GOOD, total=False),
    Case(
        "predictions_unread",
        step(*answered("", body=b"\x0b\x02\x80abc\x03", Content_Encoding="br")),
        ("content_encoding", "No prediction", "gzip"),
        GOOD,
        total=False,
    ),
    Case("predictions_unread", step(*many(flags=EVENT_STREAM)), ("event_stream", "whole"), GOOD, total=False),
    Case(
        "labels_unused",
        labels(known=True, value="late"),
        ("label_unusable", "not a number"),
        labels(known=True, value=0.5),
        total=False,
        used=labelled,
    ),
    Case(
        "labels_unused",
        labels(known=False, value=0.5),
        ("unknown",),
        labels(known=True, value=0.5),
        total=False,
        used=labelled,
    ),
    Case("labels_unused", labels(known=True, value=0.5), ("no_label_column",), total=False),
    Case(
        "labels_unused",
        labels(known=True, value=0.5, header="x-mine"),
        ("unknown", "spec.traffic.decode.id selects no id: '$.key'"),
        total=False,
        used=labelled,
        spec=with_decode('{inputColumns: {amount: "$.inputs[*].data[0]"}, id: "$.key"}'),
    ),
    Case(
        "unknown_names",
        nothing,
        ("spec.drift.features.amuont", "did you mean 'amount'?"),
        total=False,
        spec=SPEC.replace("1s,", "1s, features: {amuont: {tolerance: 0.1}},"),
    ),
    Case(
        "unknown_names",
        step(*[record(1, amounts=[0.5] * 4)] * 30),
        ("keepRows.mask", "'amuont'"),
        total=False,
        spec=SPEC + "  traffic: {keepRows: {rows: 100, mask: [amuont, color]}}\n",
    ),
    Case(
        "profile_mismatch",
        step(*many(target="/v2/models/n/infer")),
        ("30 of the last 30", "'m'"),
        GOOD,
        total=False,
        spec=SPEC.replace("  model: {name: m}\n", ""),
    ),
    Case("late_rows", late, ("clocks",), total=False),
]


async def spot_of(here: Served, reason: str) -> dict[str, Any] | None:
    """Return the blind spot in the report."""
    report = json.loads((await here.get("/report"))[1])
    return next((spot for spot in report["blind"] if spot["reason"] == reason), None)


async def appears(here: Served, reason: str, total: bool) -> dict[str, Any]:
    await eventually(
        lambda: any((spot.reason, spot.total) == (reason, total) for spot in here.app.blind_spots), what=reason
    )
    found = await spot_of(here, reason)
    assert found is not None
    return found


@pytest.mark.asyncio
async def test_a_column_that_comes_rarely_does_not_open_and_close_a_blind_spot(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pilotfish.visibility")
    async with served(tmp_path, HEAD + SPEC, used=profile()) as here:
        without = many(request=named(amount=[1.0]))
        await here.proxy.send(*without)
        await appears(here, "columns_absent", total=False)
        await here.proxy.send(*without[:10], record(1), *without[:10])
        await eventually(lambda: any("almost no" in spot.text for spot in here.app.blind_spots), what="few values")
        await GOOD(here)
        await eventually(lambda: not here.app.blind_spots, what="the end")
        assert sum("(columns_absent)" in line for line in caplog.messages) == 2, caplog.messages


async def check_everywhere(here: Served, case: Case, found: dict[str, Any]) -> None:
    """Check /readyz, report, page and metric while the blind spot is present."""
    code, text, _ = await here.get("/readyz")
    ready = json.loads(text)
    assert (code, ready["ready"]) == ((503, False) if case.total else (200, True))
    assert ready["status"] == (case.status if case.total else "partly_blind")
    assert case.reason in {spot["reason"] for spot in ready["blind"]}
    assert found["text"] not in ready["warnings"], "the warnings repeat the blind spot"
    assert found["text"] in json.loads((await here.get("/report"))[1])["warnings"]
    page = (await here.get("/report", Accept="text/html"))[1]
    assert f'<p class="notice {"blind" if case.total else "partly_blind"}" role="alert">' in page
    assert f"({case.reason}, since " in page
    assert "No open drift" not in page
    assert '<span class="badge watching">' not in page
    metrics = (await here.get("/metrics"))[1]
    assert f'pilotfish_blind{{reason="{case.reason}"}} 1.0' in metrics
    assert f"pilotfish_ready {0.0 if case.total else 1.0}" in metrics


def cases() -> Iterator[ParameterSet]:
    """Yield the cases; those after the first one of a reason are long."""
    seen = set[str]()
    for case in CASES:
        marks = [pytest.mark.long] if case.reason in seen else []
        yield pytest.param(case, id=f"{case.reason}: {case.words[0]}", marks=marks)
        seen.add(case.reason)


@pytest.mark.asyncio
@pytest.mark.parametrize("case", [*cases()])
async def test_a_blind_spot_is_seen_everywhere_until_it_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, case: Case
) -> None:
    caplog.set_level(logging.INFO, "pilotfish.visibility")
    async with served(tmp_path, HEAD + case.spec, used=case.used()) as here:
        await case.blind(here)
        found = await appears(here, case.reason, case.total)
        for word in case.words:
            assert word in found["text"]
        assert not any(name in found["text"] for name in CLIENT_NAMES)
        await check_everywhere(here, case, found)
        logged = [line for line in caplog.messages if f"blind ({case.reason}): " in line]
        assert len(logged) <= 1 + case.total, caplog.messages  # it may have been partial first
        assert case.words[0] in logged[-1]
        if case.end is None:
            return
        await case.end(here)
        await eventually(
            lambda: case.reason not in {spot.reason for spot in here.app.blind_spots}, what=f"the end of {case.reason}"
        )
        assert f"no longer blind ({case.reason})" in caplog.messages
        assert f'pilotfish_blind{{reason="{case.reason}"}} 0.0' in (await here.get("/metrics"))[1]


def test_every_reason_is_provoked() -> None:
    with_a_controller = {"not_synced"}  # tests/analyzer/sync/test_pod.py
    assert {case.reason for case in CASES} | with_a_controller == BLIND_REASONS.keys() == watch.CONDITIONS.keys()


@pytest.mark.asyncio
async def test_measured_traffic_is_ready_and_not_called_calm_before_a_tick_closes(tmp_path: Path) -> None:
    async with served(tmp_path, HEAD + SPEC.replace("tick: 1s", "tick: 1h").replace("per: 1d", "per: 90d")) as here:
        page = (await here.get("/report", Accept="text/html"))[1]
        assert "No open drift" not in page
        assert "No rows have been measured yet" in page
        await GOOD(here)
        await eventually(lambda: here.app.report.rows, what="rows")
        code, text, _ = await here.get("/readyz")
        assert (code, json.loads(text)["status"], json.loads(text)["blind"]) == (200, "ready", [])
        page = (await here.get("/report", Accept="text/html"))[1]
        assert "No open drift" not in page
        assert "Nothing was compared with the reference yet" in page


@pytest.mark.asyncio
async def test_a_draining_proxy_is_not_ready(tmp_path: Path) -> None:
    async with served(tmp_path, HEAD + SPEC) as here:
        here.proxy.set(layout.AT_DRAINING, time.time_ns())
        code, text, _ = await here.get("/readyz")
        assert (code, json.loads(text)["status"]) == (503, "draining")


@pytest.mark.asyncio
async def test_a_counter_page_of_another_layout_is_not_ready(tmp_path: Path) -> None:
    async with served(tmp_path, HEAD + SPEC) as here:
        here.proxy.set(layout.AT_LAYOUT, layout.LAYOUT + 1)
        code, text, _ = await here.get("/readyz")
        assert (code, json.loads(text)["status"]) == (503, "no_proxy")
        assert "has another layout" in text


@pytest.mark.asyncio
async def test_a_quiet_service_and_everyday_traffic_are_not_blind(tmp_path: Path) -> None:
    async with served(tmp_path, HEAD + SPEC) as here:
        await GOOD(here)
        await here.proxy.send(*many(19, status=400))
        here.proxy.count("sampled_out", "method", 500)
        await here.proxy.send(*many(130, target="/v2/models/other/infer"), *many(30, target="/v2/models/m/explain"))
        await eventually(lambda: sum(item.exchanges for item in here.app.report.counts) == 259, what="all outcomes")
        assert json.loads((await here.get("/readyz"))[1])["status"] == "ready"


@pytest.mark.asyncio
async def test_a_damaged_stored_profile_is_blind_at_every_start(tmp_path: Path) -> None:
    spec = HEAD + "  model: {name: m}\n"
    async with served(tmp_path, spec) as here:
        assert (await here.send("PUT", "/profile", profile().to_bytes()))[0] == 200
    (tmp_path / "shared" / "profile").write_bytes(b"damaged")
    for _ in range(2):
        async with served(tmp_path, spec) as here:
            found = await appears(here, "no_profile", total=True)
            assert "profile.refused" in found["text"]
            assert (await here.get("/readyz"))[0] == 503
    async with served(tmp_path, spec) as here:
        assert (await here.send("PUT", "/profile", profile().to_bytes()))[0] == 200
        await eventually(lambda: not here.app.blind_spots, what="the end of the blind spot")
        assert (await here.get("/readyz"))[0] == 200


def replaced_by_folder(path: Path) -> bool:
    """Put a folder in the place of a file; return False if the analyzer has written the file again in between."""
    path.unlink(missing_ok=True)
    with suppress(FileExistsError):
        path.mkdir()
    return path.is_dir()


@pytest.mark.asyncio
async def test_a_full_disk_is_a_warning_of_readyz(tmp_path: Path) -> None:
    async with served(tmp_path, HEAD + SPEC) as here:
        await eventually(lambda: replaced_by_folder(tmp_path / "shared" / "checkpoint"), what="a folder in its place")
        await GOOD(here)
        await eventually(lambda: here.app.report.checkpoint.error, what="a failed checkpoint")
        assert any("cannot write" in text for text in json.loads((await here.get("/readyz"))[1])["warnings"])
