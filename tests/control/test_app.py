"""Composition: the tables of policies and executors, and the loop for a document."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec

from pilotfish.sidecar.control import app
from pilotfish.sidecar.control.webhook.sender import WebhookSender
from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.settings.load import parse
from tests.control.cycles import run_cycle
from tests.control.receiver import receiving
from tests.control.test_observe import DOCUMENT, REPORT


def ignore(_status: ControlStatus) -> None:
    """Publish nothing."""


def test_each_kind_has_a_policy_and_lanes_in_alphabetical_order() -> None:
    kinds = [policy.kind for policy in app.POLICIES]
    assert kinds == sorted(kinds)
    assert kinds == list(app.LANES)


def test_a_document_gets_the_executors_of_its_blocks(tmp_path: Path) -> None:
    monitor = parse((DOCUMENT % ("act", ", secretFile: s")).encode(), "test")
    (lane,) = app.retrain_lanes(monitor, app.send_by_files(tmp_path)).values()
    assert isinstance(lane.executor, WebhookSender)
    bare = msgspec.structs.replace(monitor, spec=msgspec.structs.replace(monitor.spec, retrain=None))
    loop = app.build(
        bare, folder=tmp_path, state=tmp_path, report=lambda: REPORT, blind=list, publish=lambda _status: None
    )
    assert loop is None
    assert list(tmp_path.iterdir()) == []


def test_the_loop_reads_the_report_keeps_its_outbox_in_the_state_folder_and_publishes(tmp_path: Path) -> None:
    shown: list[ControlStatus] = []
    with receiving() as receiver:
        document = (DOCUMENT % ("act", "")).replace("http://127.0.0.1:1/hook", receiver.url)
        loop = app.build(
            parse(document.encode(), "test"),
            folder=tmp_path,
            state=tmp_path / "state",
            report=lambda: REPORT,
            blind=list,
            publish=shown.append,
        )
        assert loop is not None
        asyncio.run(run_cycle(loop))
        loop.outbox.close()
    assert [(intent.state, intent.episode) for intent in shown[-1].intents] == [("delivered", "e1")]
    assert {arrival.id for arrival in receiver.arrivals} == {shown[-1].intents[0].id}
    assert re.fullmatch(r"pilotfish/\S+", receiver.arrivals[0].headers["User-Agent"])
    assert (tmp_path / "state" / app.OUTBOX_FILE).exists()
