"""Live traffic gives what `pilotfish replay` gives for the same rows: alarm, tick, names, evidence, to the bit."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from pilotfish.detectors.cells import MISSING_WORDS as NA
from pilotfish.detectors.detection.replay import Replay, tick_spans_by_time
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.analyzer.checkpoint import CHECKPOINT_FILE, parse
from pilotfish.sidecar.cli import main
from pilotfish.sidecar.profiles.build import ColumnRoles, read_table, row_times
from pilotfish.sidecar.profiles.csvtable import CsvOptions
from tests.e2e.stack import Stack
from tests.e2e.upstream import BODY
from tests.support.waiting import patient, wait_until

TICK = patient(0.5)  # seconds
QUIET, DRIFTED = 3, 8  # ticks
REQUESTS, ROWS = 6, 5  # in a tick, in a request
SHIFT = 0.8
ATTEMPTS = 4
COLUMNS = ("a", "b")
Exchange = tuple[int, dict[str, list[float]]]  # its tick and its rows


class StalledError(Exception):
    """The machine stalled at the end of a tick: the tick of an exchange is unknown, or its rows came too late."""


@pytest.fixture
def profile() -> bytes:
    random = np.random.default_rng(1)
    columns = {"a": random.normal(size=20_000), "b": random.normal(size=20_000)}
    columns["y"] = np.resize(predictions(), 20_000)
    made = build_profile(columns, sides={"y": "prediction"}, model="m", version="1", exchangeable=True)
    return made.to_bytes()


def predictions() -> list[float]:
    """Return the predictions in each response of the model server."""
    found: list[float] = json.loads(BODY)["outputs"][0]["data"]
    return found


@pytest.mark.long
def test_live_traffic_raises_the_alarm_of_a_replay(
    stack: Stack, profile: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = send_without_stall(stack)
    (live,) = stack.episodes()
    assert stack.stop() == 0
    saved = parse((stack.folder / "state" / CHECKPOINT_FILE).read_bytes(), "the checkpoint")

    data = write_csv(tmp_path / "sent.csv", sent)
    capsys.readouterr()
    replayed = ["replay", str(data), "--profile", str(stack.folder / "profile.json")]
    assert main([*replayed, "--time", "at", "--tick", f"{TICK}s", "--json"]) == 0
    alarm, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert (live["id"], live["opened_tick"], live["onset_tick"]) == (
        alarm["episode"],
        alarm["tick"],
        alarm["onset_tick"],
    )
    assert live == {**summary["episodes"][0], "features": list(summary["episodes"][0]["features"])}
    assert [feature["name"] for feature in alarm["features"]] == ["a"]
    assert alarm["tick"] >= sent[0][0] + QUIET
    assert saved["profile"]["monitor"]["engine"] == state_of_replay(Profile.from_bytes(profile), data)


def send_without_stall(stack: Stack) -> list[Exchange]:
    """Start the stack and send the traffic; repeat it when the machine stalls at the end of a tick."""
    stack.write("monitor.yaml", (stack.folder / "monitor.yaml").read_text().replace("tick: 200ms", f"tick: {TICK}s"))
    for _ in range(ATTEMPTS):
        stack.start()
        wait_until(stack.ready, 20, "the analyzer process")
        try:
            return traffic(stack)
        except StalledError:
            stack.stop()
            for name in ("shared", "state"):  # both hold counters
                shutil.rmtree(stack.folder / name)
    pytest.fail(f"the machine stalled at the end of a tick in each of {ATTEMPTS} attempts")


def traffic(stack: Stack) -> list[Exchange]:
    """Send rows tick by tick, the later ones shifted; return each exchange with its tick."""
    random = np.random.default_rng(2)
    connection = HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
    sent: list[Exchange] = []
    for number, _ in enumerate(ticks(QUIET + DRIFTED)):
        for _ in range(REQUESTS):
            rows = {"a": random.normal(SHIFT * (number >= QUIET), 1, ROWS), "b": random.normal(size=ROWS)}
            listed = {name: values.tolist() for name, values in rows.items()}
            sent.append((exchange(connection, listed), listed))
    connection.close()
    last = sent[-1][0]
    closed = wait_until(lambda: closed_ticks(stack, last), 20, "the last tick's end")
    if closed["late_rows"] or closed["last_closed"] != last:
        raise StalledError
    return sent


def closed_ticks(stack: Stack, last: int) -> dict[str, Any]:
    """Return the report's section `ticks` once the tick `last` is closed and no tick is open, {} before."""
    found: dict[str, Any] = stack.report()["ticks"]
    closed = found["last_closed"]
    return found if closed is not None and closed >= last and not found["open"] else {}


def ticks(count: int) -> Iterator[int]:
    """Yield the next `count` ticks of the wall clock, each at its start."""
    last = int(time.time() / TICK)
    for _ in range(count):
        wait_until(lambda last=last: int(time.time() / TICK) > last, what="the next tick")  # type: ignore[misc]
        last = int(time.time() / TICK)
        yield last


def exchange(connection: HTTPConnection, rows: dict[str, list[float]]) -> int:
    """Send rows and return the tick of the exchange; raise StalledError when it may be either of two."""
    inputs = [{"name": name, "datatype": "FP64", "shape": [ROWS], "data": data} for name, data in rows.items()]
    before = int(time.time() / TICK)
    connection.request("POST", "/v2/models/m/infer", json.dumps({"inputs": inputs}))
    response = connection.getresponse()
    assert response.read() == BODY
    if int(time.time() / TICK) != before:
        raise StalledError
    return before


def write_csv(path: Path, sent: list[Exchange]) -> Path:
    """Write the rows as a CSV file with the time of their tick."""
    lines = ["at,a,b,y"]
    for tick, rows in sent:
        at = datetime.fromtimestamp((tick + 0.5) * TICK, UTC).isoformat()
        lines += [f"{at},{a!r},{b!r},{y!r}" for a, b, y in zip(rows["a"], rows["b"], predictions(), strict=True)]
    path.write_text("\n".join(lines))
    return path


def state_of_replay(profile: Profile, data: Path) -> Any:
    """Return the state of a replay at the end of the file, as a checkpoint would store it."""
    table = read_table(data, ColumnRoles(time="at"), CsvOptions(NA), lambda *_: None)
    times, _ = row_times(table, "at")
    assert times is not None
    replay = Replay(profile, DriftSettings(tick_seconds=TICK))
    columns = {name: column for name, column in table.columns.items() if name != "at"}
    for _ in replay.run(columns, tick_spans_by_time(times, TICK), times):
        pass
    return msgspec.msgpack.decode(msgspec.msgpack.encode(replay.monitor.state()))
