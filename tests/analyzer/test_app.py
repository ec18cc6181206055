"""The composed analyzer beside a real proxy's channel: changes of document and profile while it runs, and its end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer import app as analyzer
from pilotfish.sidecar.analyzer import memory
from pilotfish.sidecar.analyzer.app import App, build
from pilotfish.sidecar.analyzer.options import Options
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
def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
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
async def test_the_proxy_is_told_what_the_document_says(tmp_path: Path) -> None:
    async with running(tmp_path):
        told = parse_proxy_settings((tmp_path / "shared" / "proxy.json").read_bytes(), "proxy.json")
        assert (told.max_records_per_second, told.probes) == (9, ("/alive",))


@pytest.mark.asyncio
async def test_a_restart_goes_on_counting(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, _):
        (await send(tmp_path, 1, 30)).disconnect()
    async with running(tmp_path) as (made, _, _):
        assert measured(made) == 30
        sender = await send(tmp_path, 31, 40)
        await eventually(lambda: measured(made) == 40, what="40 measured")
        assert [item.fate for item in made.report.counts] == ["measured"]
        sender.disconnect()


@pytest.mark.asyncio
async def test_a_changed_document_asks_for_a_new_start(tmp_path: Path) -> None:
    async with running(tmp_path) as (_, _, serving):
        (tmp_path / "monitor.yaml").write_text(DOCUMENT.replace("maxRecordsPerSecond: 9", "maxRecordsPerSecond: 8"))
        assert await serving == analyzer.RECYCLE_STATUS


@pytest.mark.asyncio
async def test_a_document_that_cannot_be_used_stays_out_and_shows(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, serving):
        (tmp_path / "monitor.yaml").write_text(DOCUMENT.replace("maxRecordsPerSecond: 9", "maxRecordsPerSecond: many"))
        await eventually(lambda: any("maxRecordsPerSecond" in text for text in made.report.warnings), what="a warning")
        assert not serving.done()
        (tmp_path / "monitor.yaml").write_text(DOCUMENT)
        await eventually(lambda: not made.report.warnings, what="the warning to go")


@pytest.mark.asyncio
async def test_a_changed_profile_is_taken_up_and_no_count_is_lost(tmp_path: Path) -> None:
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
async def test_a_changed_profile_that_cannot_be_used_stays_out_and_shows(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, _):
        (tmp_path / "profile.json").write_bytes(profile(version="8").to_bytes())
        await eventually(lambda: any("version '8'" in text for text in made.report.warnings), what="a warning")
        assert made.report.profile is not None
        assert made.report.profile.hash == profile().hash
        (tmp_path / "profile.json").write_bytes(profile().to_bytes())
        await eventually(lambda: not made.report.warnings, what="the warning to go")


@pytest.mark.asyncio
async def test_a_worn_out_process_asks_for_a_new_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path) as (_, _, serving):
        monkeypatch.setattr(memory, "near_limit", lambda used, size: used > 0 == size)
        assert await serving == analyzer.RECYCLE_STATUS


@pytest.mark.parametrize(("used", "size", "worn"), [(84, 100, False), (85, 100, True), (10**12, 0, False)])
def test_worn_out_is_85_percent_of_a_limit(used: int, size: int, worn: bool) -> None:
    assert memory.near_limit(used, size) is worn


@pytest.mark.asyncio
async def test_a_second_analyzer_of_the_same_state_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path):
        other = Options(shared=tmp_path / "other", state=tmp_path / "shared", admin="127.0.0.1:0")
        with pytest.raises(UsageError, match="--state"):
            build(other)


@pytest.mark.asyncio
async def test_settings_that_the_proxy_cannot_be_given_are_said(tmp_path: Path) -> None:
    (tmp_path / "shared" / "proxy.json").mkdir(parents=True)
    async with running(tmp_path) as (made, _, _):
        await eventually(lambda: any("spec.traffic" in text for text in made.report.warnings), what="a warning")


def test_a_limit_below_what_it_needs_itself_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="256Mi"):
        build(Options(shared=tmp_path, admin="127.0.0.1:0", memory_limit=10 << 20))


@pytest.mark.asyncio
async def test_a_damaged_checkpoint_is_left_behind_and_said(tmp_path: Path) -> None:
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
async def test_a_damaged_kept_profile_gives_way_to_the_documents_own(tmp_path: Path) -> None:
    await put(tmp_path, profile(1).to_bytes())
    kept = tmp_path / "shared" / "profile"
    kept.write_bytes(kept.read_bytes()[:-3])
    async with running(tmp_path) as (made, _, _):
        await eventually(lambda: any("stored profile" in text for text in made.report.warnings), what="a warning")
        assert made.report.state == "watching"
        assert made.report.profile is not None
        assert made.report.profile.hash == profile().hash
        await made._actions.set_profile(profile(1).to_bytes())
        await eventually(lambda: not made.report.warnings, what="the warning to go")
    async with running(tmp_path) as (made, _, _):
        assert made.report.profile is not None
        assert made.report.profile.hash == profile(1).hash


@pytest.mark.asyncio
async def test_an_idle_one_takes_up_a_file_as_soon_as_it_is_mended(tmp_path: Path) -> None:
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
async def test_what_hinders_the_control_loop_is_a_warning(tmp_path: Path) -> None:
    async with running(tmp_path) as (made, _, _):
        made.set_control(ControlStatus(problem="line 2 damaged"))
        await eventually(lambda: "line 2 damaged" in made.report.warnings, what="a warning")
        made.set_control(ControlStatus())
        await eventually(lambda: not made.report.warnings, what="the warning to go")
