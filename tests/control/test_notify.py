"""Notifications to real receivers: what each form sends, and that receivers do not affect each other."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.control import app
from pilotfish.sidecar.control.loop import ControlLoop
from pilotfish.sidecar.control.notify import slack
from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.report.schema import BlindSpot
from pilotfish.sidecar.run.analyzer_process import POOL_THREADS
from pilotfish.sidecar.settings.load import parse
from pilotfish.sidecar.system.workers import started_pool
from tests.control.receiver import SECRET, receiving
from tests.control.test_observe import DOCUMENT, OPEN, REPORT
from tests.support.examples import examples
from tests.support.waiting import eventually, patient

NOTIFY = """
  notify:
    - webhook: {urlFile: slack.url, format: slack, timeout: %gs}
    - name: on-call
      webhook: {url: "%s", secretFile: secret}
"""


def built(folder: Path, retrain: str, receiver: str, shown: list[ControlStatus], seconds: float = 5.0) -> ControlLoop:
    """Return the loop of a document with a retraining, a Slack channel and a generic receiver."""
    document = (DOCUMENT % ("observe", "")).replace("http://127.0.0.1:1/hook", retrain) + NOTIFY % (seconds, receiver)
    loop = app.build(
        parse(document.encode(), "test"),
        folder=folder,
        state=folder / "state",
        report=lambda: REPORT,
        blind=list,
        publish=shown.append,
    )
    assert loop is not None
    return loop


def test_in_every_mode_each_receiver_gets_an_alarm_once_in_its_form(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    shown: list[ControlStatus] = []
    with receiving() as channel, receiving() as generic, receiving() as trainer:
        (tmp_path / "slack.url").write_text(channel.url + "services/T0/B0/S3CRET\n")
        loop = built(tmp_path, trainer.url, generic.url, shown)

        async def run() -> None:
            for _ in range(3):
                await loop.cycle()
                await loop.drain()

        asyncio.run(run())
        loop.outbox.close()
    assert trainer.arrivals == []  # mode observe
    (said,), (event,) = channel.arrivals, generic.arrivals
    assert list(json.loads(said.body)) == ["text"]
    assert json.loads(said.body)["text"].startswith("Drift alarm for model delays version 7: ")
    assert said.headers["Content-Type"] == "application/json; charset=utf-8"
    assert event.signed
    found = json.loads(event.body)
    assert (found["type"], found["subject"]) == ("dev.pilotfish.alarm.opened", "delays/7")
    assert found["data"]["episode"] == OPEN.id
    assert event.key == found["id"]
    assert said.key != event.key
    states = {(intent.receiver, intent.kind): intent.state for intent in shown[-1].intents}
    assert states[("URL in slack.url", "notify")] == states[("on-call", "notify")] == "delivered"
    assert shown[-1].waiting == (
        ("notify", "URL in slack.url", 0), ("notify", "on-call", 0), ("retrain", f"{trainer.url}", 0),
    )  # fmt: skip
    assert "S3CRET" not in (tmp_path / "state" / app.OUTBOX_FILE).read_text() + repr(shown)


def test_a_receiver_that_hangs_delays_no_other(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    with receiving(["hang"]) as channel, receiving() as generic:
        (tmp_path / "slack.url").write_text(channel.url)
        loop = built(tmp_path, "http://127.0.0.1:1/", generic.url, [], seconds=patient(30))

        async def run() -> None:
            await loop.cycle()
            await eventually(lambda: generic.arrivals and channel.arrivals, what="both requests")
            await eventually(lambda: loop.outbox.ledger.totals.get(("notify", "executed", "alarm_opened")), what="one")
            assert [entry.attempts for entry in loop.outbox.ledger.entries.values() if entry.state == "pending"] == [1]
            channel.release.set()
            await loop.drain()

        asyncio.run(run())
        loop.outbox.close()


def test_receivers_whose_names_do_not_resolve_in_time_delay_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, lookup = threading.Event(), socket.getaddrinfo

    def slow(host: str, *args: Any, **more: Any) -> Any:
        if host == "slow.example":
            release.wait(patient(30))
        return lookup("127.0.0.1", *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with receiving() as receiver:
        names = ["slow.example"] * 5 + ["fast.example"]
        url, port = "http://{}:{}/", receiver.url.rpartition(":")[2].strip("/")
        notify = [{"name": f"r{at}", "webhook": {"url": url.format(name, port)}} for at, name in enumerate(names)]
        document = (DOCUMENT % ("observe", "")) + f"  notify: {json.dumps(notify)}\n"
        loop = app.build(
            parse(document.encode(), "test"),
            folder=tmp_path,
            state=tmp_path,
            report=lambda: REPORT,
            blind=list,
            publish=lambda _status: None,
        )
        assert loop is not None

        async def run() -> None:
            asyncio.get_running_loop().set_default_executor(started_pool(POOL_THREADS))
            await loop.cycle()
            await eventually(lambda: loop.outbox.ledger.totals.get(("notify", "executed", "alarm_opened")), what="one")
            assert len(receiver.arrivals) == 1
            release.set()
            await loop.drain()

        asyncio.run(run())
        loop.outbox.close()
    assert len(receiver.arrivals) == 6


@pytest.mark.parametrize("content", ["", "hooks.slack.com/S3CRET", "https://a:S3CRET@b/", "ftp://b/S3CRET", "\xff\n\n"])
def test_a_url_file_that_cannot_be_used_is_a_reason_and_a_problem_without_its_content(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "slack.url").write_text(content)
    shown: list[ControlStatus] = []
    with receiving() as receiver, caplog.at_level(logging.DEBUG):
        loop = built(tmp_path, receiver.url, receiver.url, shown)

        async def run() -> None:
            await loop.cycle()
            await loop.drain()
            assert "URL file" in (shown[-1].problem or "")
            assert {intent.error for intent in shown[-1].intents} == {"url", None}
            (tmp_path / "slack.url").write_text(receiver.url)
            shown.clear()
            await loop.cycle()
            assert shown[-1].problem is None

        asyncio.run(run())
        loop.outbox.close()
    assert "S3CRET" not in repr(shown) + caplog.text


def test_blind_spots_come_from_the_analyzer(tmp_path: Path) -> None:
    spots = [BlindSpot(reason="no_proxy", text="no counter page", since=1.0, total=True)]
    document = """
        apiVersion: pilotfish.dev/v1alpha1
        kind: ModelMonitor
        metadata: {name: m}
        spec: {notify: [{webhook: {url: "%s", format: slack}, events: [blindStarted, blindEnded], blindFor: 0s}]}
    """
    with receiving() as receiver:
        loop = app.build(
            parse((document % receiver.url).encode(), "test"),
            folder=tmp_path,
            state=tmp_path,
            report=lambda: REPORT,
            blind=lambda: spots,
            publish=lambda _status: None,
        )
        assert loop is not None

        async def run() -> None:
            for _ in range(2):
                await loop.cycle()
                await loop.drain()
                spots.clear()

        asyncio.run(run())
        loop.outbox.close()
    texts = [json.loads(arrival.body)["text"] for arrival in receiver.arrivals]
    began, ended = texts
    assert began == "Pilotfish measures nothing of the traffic of model delays version 7 (no_proxy): no counter page"
    assert ended.startswith("Pilotfish is no longer blind for model delays version 7 (no_proxy)")  # "after 1s" if slow


@pytest.mark.long
@settings(max_examples=examples(200))
@given(st.text())
def test_no_text_mentions_people_or_becomes_a_link(text: str) -> None:
    body = slack.message(json.dumps({"data": {"text": text}})).body
    said = json.loads(body)["text"]
    assert not {"<", ">"} & set(said)
    assert all(said[at + 1 : at + 2] == "\u200b" for at, character in enumerate(said) if character == "@")
    plain = said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace("@\u200b", "@")
    assert plain == text.replace("->", "→") or "\u200b" in text or "\ud800" <= max(text, default="") <= "\udfff"
