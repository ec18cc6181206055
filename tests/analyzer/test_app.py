"""The composed analyzer with the channel of a real proxy: changes of document and profile, and the end."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer import app as analyzer
from pilotfish.sidecar.analyzer import checkpoint, memory
from pilotfish.sidecar.analyzer.app import App, build
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.channel.receiver import Receiver
from pilotfish.sidecar.channel.sender import Sender
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.settings.proxy import parse_proxy_settings
from tests.analyzer.made import monitor, profile, record
from tests.support.ports import free_port
from tests.support.waiting import eventually

DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  model: {name: m, version: "7"}
  traffic: {maxRecordsPerSecond: 9, probes: [/alive]}
  profiles: [{version: "7", path: profile.json}]
"""


@pytest.fixture(autouse=True)
def poll_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "POLL_SECONDS", 0.01)


def options(folder: Path) -> Options:
    document = folder / "monitor.yaml"
    if not document.exists():
        document.write_text(DOCUMENT)
        (folder / "profile.json").write_bytes(profile().to_bytes())
    return Options(shared=folder / "shared", admin=f"127.0.0.1:{free_port()}", document=document)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[App, asyncio.Event, asyncio.Task[int]]]:
    made, stop = build(options(folder), monitor), asyncio.Event()
    serving = asyncio.create_task(made.serve(stop))
    await eventually(lambda: (folder / "shared" / "records.sock").exists() or serving.done(), what="the socket")
    try:
        yield made, stop, serving
    finally:
        stop.set()
        await serving


def measured(made: App) -> int:
    return sum(item.exchanges for item in made.report.counts if item.fate == "measured")


async def send(folder: Path, first: int, last: int) -> Sender:
    sender = Sender(folder / "shared" / "records.sock", 7)
    await eventually(lambda: sender.connect(first), what="a reader")
    for sequence in range(first, last + 1):
        assert sender.offer(record(sequence, at_ns=time.time_ns()))
    await eventually(lambda: sender.flush() or not sender.pending, what="the records to be sent")
    return sender


@pytest.mark.asyncio
async def test_the_proxy_receives_the_settings_of_the_document(tmp_path: Path) -> None:
    async with running(tmp_path):
        settings = parse_proxy_settings((tmp_path / "shared" / "proxy.json").read_bytes(), "proxy.json")
        assert (settings.max_records_per_second, settings.probes) == (9, ("/alive",))


@pytest.mark.asyncio
async def test_counting_continues_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, _):
        (await send(tmp_path, 1, 30)).disconnect()
    async with running(tmp_path) as (made, _, _):
        assert measured(made) == 30
        sender = await send(tmp_path, 31, 40)
        await eventually(lambda: measured(made) == 40, what="40 measured")
        assert [item.fate for item in made.report.counts] == ["measured"]
        sender.disconnect()


@pytest.mark.asyncio
async def test_a_changed_document_recycles_the_process(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, serving):
        (tmp_path / "monitor.yaml").write_text(DOCUMENT.replace("maxRecordsPerSecond: 9", "maxRecordsPerSecond: 8"))
        assert await serving == analyzer.RECYCLE_STATUS


@pytest.mark.asyncio
async def test_an_unusable_document_is_ignored_and_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, serving):
        (tmp_path / "monitor.yaml").write_text(DOCUMENT.replace("maxRecordsPerSecond: 9", "maxRecordsPerSecond: many"))
        await eventually(lambda: any("maxRecordsPerSecond" in text for text in made.report.warnings), what="a warning")
        assert not serving.done()
        (tmp_path / "monitor.yaml").write_text(DOCUMENT)
        await eventually(lambda: not made.report.warnings, what="the end of the warning")


@pytest.mark.asyncio
async def test_a_changed_profile_is_put_into_force_and_no_count_is_lost(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, _):
        sender = await send(tmp_path, 1, 10)
        (tmp_path / "profile.json").write_bytes(profile(1).to_bytes())
        await eventually(
            lambda: made.report.profile and made.report.profile.hash == profile(1).hash, what="the profile"
        )
        for sequence in range(11, 21):
            assert sender.offer(record(sequence, at_ns=time.time_ns()))
        sender.flush()
        await eventually(lambda: measured(made) == 20, what="20 measured")
        sender.disconnect()


@pytest.mark.asyncio
async def test_an_unusable_changed_profile_is_ignored_and_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, _):
        (tmp_path / "profile.json").write_bytes(profile(version="8").to_bytes())
        await eventually(lambda: any("version '8'" in text for text in made.report.warnings), what="a warning")
        assert made.report.profile is not None
        assert made.report.profile.hash == profile().hash
        (tmp_path / "profile.json").write_bytes(profile().to_bytes())
        await eventually(lambda: not made.report.warnings, what="the end of the warning")


@pytest.mark.asyncio
async def test_a_process_near_its_memory_limit_is_recycled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as (_, _, serving):
        monkeypatch.setattr(memory, "near_limit", lambda used, size: used > 0 == size)
        assert await serving == analyzer.RECYCLE_STATUS


@pytest.mark.parametrize(("used", "size", "near"), [(84, 100, False), (85, 100, True), (10**12, 0, False)])
def test_near_the_limit_means_85_percent_of_it(used: int, size: int, near: bool) -> None:
    assert memory.near_limit(used, size) is near


@pytest.mark.asyncio
async def test_a_second_analyzer_of_the_same_state_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path):
        other = Options(shared=tmp_path / "other", state=tmp_path / "shared", admin="127.0.0.1:0")
        with pytest.raises(UsageError, match="--state"):
            build(other)


@pytest.mark.asyncio
async def test_proxy_settings_are_written_before_a_proxy_can_connect(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []

    def opened(path: Path, *_: object) -> Receiver:
        found.append((path.parent / "proxy.json").exists())
        return Receiver(path)

    monkeypatch.setattr(analyzer, "Receiver", opened)
    async with running(tmp_path):
        assert found == [True]


@pytest.mark.asyncio
async def test_the_log_names_the_address_and_port_that_a_browser_opens(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    made, stop = build(replace(options(tmp_path), admin="0.0.0.0:0"), monitor), asyncio.Event()
    serving = asyncio.create_task(made.serve(stop))
    await eventually(lambda: "the report is at" in caplog.text or serving.done(), what="the line")
    stop.set()
    await serving
    assert re.search(r"the report is at http://127\.0\.0\.1:[1-9]\d*/report, ", caplog.text)


@pytest.mark.asyncio
async def test_proxy_settings_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    (tmp_path / "shared" / "proxy.json").mkdir(parents=True)
    async with running(tmp_path) as (made, _, _):
        await eventually(lambda: any("spec.traffic" in text for text in made.report.warnings), what="a warning")


def test_a_memory_limit_below_the_initial_use_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"give \d+Mi or more"):
        build(Options(shared=tmp_path, admin="127.0.0.1:0", memory_limit=10 << 20))


@pytest.mark.asyncio
async def test_a_damaged_checkpoint_is_replaced_and_reported(tmp_path: Path) -> None:
    async with running(tmp_path):
        (await send(tmp_path, 1, 5)).disconnect()
    (tmp_path / "shared" / "checkpoint").write_bytes(b"PLTFCKPT torn")
    async with running(tmp_path) as (made, _, _):
        assert measured(made) == 5
        assert any("torn" in text or "checkpoint" in text for text in made.report.warnings)


async def put(folder: Path, raw: bytes) -> None:
    async with running(folder) as (made, _, _):
        await made._actions.set_profile(raw)


@pytest.mark.asyncio
async def test_a_learned_profile_that_is_refused_is_a_failed_build(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, _):
        learning = await made._actions.rebaseline(b'{"by": "ann", "reason": "test"}')
        await made._actions.set_learned_profile(learning, b"{}", 5)
        await eventually(
            lambda: made.report.learning is not None and "format is None" in made.report.learning.problem,
            what="the problem of the build",
        )
        assert made.report.profile is not None
        assert made.report.profile.hash == profile().hash
        assert made.report.decisions[-1].outcome.startswith("gathering_anew")


@pytest.mark.asyncio
async def test_a_checkpoint_that_does_not_fit_is_set_aside(tmp_path: Path) -> None:
    async with running(tmp_path):
        (await send(tmp_path, 1, 5)).disconnect()
    path = tmp_path / "shared" / "checkpoint"
    path.write_bytes(checkpoint.render({"ledger": {}, "ticks": {"tick_ns": "many"}}))
    async with running(tmp_path) as (made, _, _):
        assert measured(made) == 5  # from the totals file
        assert any("checkpoint.refused" in text for text in made.report.warnings)
    async with running(tmp_path) as (made, _, _):
        assert measured(made) == 5
        assert not any("checkpoint.refused" in text for text in made.report.warnings)


@pytest.mark.asyncio
async def test_the_documents_profile_replaces_a_damaged_stored_one(tmp_path: Path) -> None:
    await put(tmp_path, profile(1).to_bytes())
    stored = tmp_path / "shared" / "profile"
    stored.write_bytes(stored.read_bytes()[:-3])
    async with running(tmp_path) as (made, _, _):
        await eventually(lambda: any("stored profile" in text for text in made.report.warnings), what="a warning")
        assert made.report.state == "watching"
        assert made.report.profile is not None
        assert made.report.profile.hash == profile().hash
        await made._actions.set_profile(profile(1).to_bytes())
        await eventually(lambda: not made.report.warnings, what="the end of the warning")
    async with running(tmp_path) as (made, _, _):
        assert made.report.profile is not None
        assert made.report.profile.hash == profile(1).hash


@pytest.mark.asyncio
async def test_an_idle_analyzer_uses_a_profile_file_once_it_is_fixed(tmp_path: Path) -> None:
    given = options(tmp_path)
    (tmp_path / "profile.json").write_bytes(b"{}")
    made, stop = build(given, monitor), asyncio.Event()
    serving = asyncio.create_task(made.serve(stop))
    assert made.report.state == "idle"
    (tmp_path / "profile.json").write_bytes(profile().to_bytes())
    await eventually(lambda: made.report.state == "watching", what="the profile")
    stop.set()
    await serving


@pytest.mark.asyncio
async def test_a_problem_of_the_control_loop_is_a_warning(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, _):
        made.set_control(ControlStatus(problem="line 2 damaged"))
        await eventually(lambda: "line 2 damaged" in made.report.warnings, what="a warning")
        made.set_control(ControlStatus())
        await eventually(lambda: not made.report.warnings, what="the end of the warning")
