"""A checkpoint of version 1 is resumed like one of the present version."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.channel.record import Hello
from pilotfish.sidecar.report.schema import CheckpointStatus
from tests.analyzer.feedback.made import exchange, labelled, labels, pipeline
from tests.analyzer.made import SECOND, T0, setup


def version_1(state: dict[str, Any]) -> bytes:
    """Return the file content that version 1 wrote for `state`."""
    old = {
        "ledger_id": state["ledger"]["id"],
        "totals": state["ledger"]["totals"],
        "epoch": state["ledger"]["epoch"],
        **state["ticks"],
        "watch": state["profile"]["monitor"],
        "columns": state["columns"],
        "learning": state["learning"],
        "streams": state["streams"],
        "feedback": state["feedback"]["segments"],
        "episodes": state["profile"]["episodes"],
        "journal": state["feedback"]["journal"],
    }
    return written(old, 1)


def written(state: dict[str, Any], version: int) -> bytes:
    payload = zlib.compress(msgspec.msgpack.encode(state), 1)
    return (
        b"PLTFCKPT"
        + b"".join(
            number.to_bytes(size, "little")
            for number, size in ((version, 2), (zlib.crc32(payload), 4), (len(payload), 8))
        )
        + payload
    )


def used() -> Pipeline:
    """Return a pipeline that has counted exchanges, a closed tick and labels."""
    made = pipeline(labelled())
    made.handshake(Hello(5, 1), 9)
    for sequence in range(1, 40):
        made.handle_record(exchange(sequence, str(sequence), answers=("blue", "green")), T0)
    made.take_labels(labels(("1", 0, "blue"), ("2", 1, "blue"), ("nobody", 0, "blue")), T0)
    made.advance(T0 + 13 * SECOND)
    made.handle_record(exchange(40, "40", at_ns=T0 + 13 * SECOND), T0 + 13 * SECOND)
    made.feedback.journal_written((1, 77))
    return made


def test_a_checkpoint_of_version_1_is_resumed_whole(tmp_path: Path) -> None:
    made = used()
    (tmp_path / "checkpoint").write_bytes(version_1(made.state()))
    saved = checkpoint.load(tmp_path / "checkpoint")
    again = Pipeline(setup(), ExchangeLedger(1), saved)
    again.set_profile(labelled(), resumed=True)
    assert report(again) == report(made)
    assert (again.ledger.position, again.ledger.epoch, again.feedback.journal_position) == (40, 5, (1, 77))
    assert checkpoint.render(again.state()) == checkpoint.render(made.state())


def report(of: Pipeline) -> bytes:
    shown = Publisher(0.0).publish(of, CheckpointStatus(), {}, 1.0).report
    feedback = msgspec.structs.replace(shown.feedback, pending=0, coverage=None)  # these come from the journal
    return msgspec.json.encode(msgspec.structs.replace(shown, feedback=feedback))


@pytest.mark.parametrize(("state", "version", "problem"), [({}, 1, "version 1 lacks"), ({}, 3, "not of version 2")])
def test_a_file_of_no_known_version_is_refused(state: dict[str, Any], version: int, problem: str) -> None:
    with pytest.raises(checkpoint.CheckpointError, match=problem):
        checkpoint.parse(written(state, version), "test")
