"""Faults of the reader under load: no request fails, and every exchange is counted once."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilotfish.sidecar.channel.page import PageSnapshot
from tests.integration import load as load_module
from tests.integration import reader as reader_module
from tests.integration.load import Load, load
from tests.integration.process import Proxy, answers, counted, in_flight, running_proxy, seen
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ROOT = Path(__file__).parents[2]
STEP = 400  # requests to wait for before and after each fault
ROUTE = "POST /v2/models/m/infer"


@contextmanager
def program(folder: Path, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a module of this package as a program until the end of the block."""
    command = [sys.executable, "-m", module, *arguments]
    with (
        (folder / "programs.log").open("ab") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT) as process,
    ):
        try:
            yield process
        finally:
            process.kill()  # SIGKILL also ends a stopped process


@dataclass
class LoadedProxy:
    """A proxy under load; `previous` is the last copy of its counters."""

    proxy: Proxy
    load: Load
    folder: Path
    previous: PageSnapshot

    def counters(self) -> PageSnapshot:
        """Read the counters. None may decrease, and the totals of routes and outcomes must agree in every copy."""
        page, before = self.proxy.page(), self.previous
        assert counted(page) == seen(page)
        assert all(page.outcomes[key] >= before.outcomes[key] for key in page.outcomes)
        assert all(
            new.codes[code] >= old.codes[code]
            for new, old in zip(page.routes, before.routes, strict=False)
            for code in new.codes
        )
        self.previous = page
        return page

    def await_requests(self, requests: int = STEP) -> None:
        """Wait for `requests` more responses, and check the counters meanwhile."""
        goal = self.load.answered + requests

        def passed() -> bool:
            self.counters()
            return self.load.answered >= goal or bool(self.load.failures)

        wait_until(passed, what=f"{requests} requests")
        assert not self.load.failures

    def dropped(self, reason: str) -> int:
        """Return how many exchanges were dropped for `reason`."""
        return self.counters().outcomes["dropped", reason]

    def reader(self) -> ReaderOutput:
        """Return the output of a reader program."""
        return ReaderOutput(self.folder / "frames")


@dataclass(frozen=True, slots=True)
class ReaderOutput:
    """The output file of a reader program."""

    out: Path

    def lines(self) -> list[list[str]]:
        """Return the words of each complete line."""
        return (
            [line.split() for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]
            if self.out.exists()
            else []
        )

    def sequences(self) -> list[int]:
        """Return the sequence numbers of the received records."""
        return [int(words[1]) for words in self.lines() if words[0] == "record"]

    def handshakes(self) -> int:
        """Return the number of received handshakes."""
        return sum(words[0] == "hello" for words in self.lines())


@pytest.fixture
def loaded(tmp_path: Path) -> Iterator[LoadedProxy]:
    shared, port = tmp_path / "shared", free_port()
    shared.mkdir()
    (shared / "proxy.json").write_text('{"maxRecordsPerSecond": 1000000}')
    with program(tmp_path, load_module.__name__, str(port)):
        wait_until(lambda: answers(("127.0.0.1", port)), what="the server to listen")
        with running_proxy(("127.0.0.1", port), shared) as proxy:
            assert isinstance(proxy.address, tuple)
            with load(proxy.address[1]) as running:
                loaded = LoadedProxy(proxy, running, tmp_path, proxy.page())
                wait_until(lambda: running.answered > STEP, what="the load to start")
                yield loaded
            assert not running.failures
            wait_until(
                lambda: not proxy.page().connections["open"] and not in_flight(proxy.page()),
                what="the proxy to be idle",
            )
            page = loaded.counters()
            assert running.answered == running.sent == counted(page) == seen(page)
            assert {code: sum(route.codes[code] for route in page.routes) for code in ("2xx", "none")} == {
                "2xx": running.sent,
                "none": 0,
            }


def test_load_without_a_reader(loaded: LoadedProxy) -> None:
    loaded.await_requests()
    assert loaded.counters().accepted == 0
    assert loaded.dropped("no_reader") == seen(loaded.previous)


def test_killed_reader_restarts(loaded: LoadedProxy) -> None:
    reader = loaded.reader()
    for _ in range(3):
        handshakes = reader.handshakes()
        with program(loaded.folder, reader_module.__name__, str(loaded.proxy.shared), str(reader.out)) as process:
            wait_until(lambda before=handshakes: reader.handshakes() > before, what="the handshake")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            loaded.await_requests()
            process.send_signal(signal.SIGKILL)
            loaded.await_requests()
    sequences = reader.sequences()
    assert sequences == sorted(set(sequences)), "a record came twice or out of order"
    assert sequences[-1] <= loaded.counters().accepted
    assert len(sequences) > 2 * STEP


def test_stopped_reader_fills_the_channel_and_then_catches_up(loaded: LoadedProxy) -> None:
    reader = loaded.reader()
    with program(loaded.folder, reader_module.__name__, str(loaded.proxy.shared), str(reader.out)) as process:
        wait_until(lambda: reader.handshakes() == 1, what="the handshake")
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: loaded.dropped("channel_full") > STEP, timeout=30, what="the channel to fill")
        loaded.await_requests()
        process.send_signal(signal.SIGCONT)
        full = loaded.counters().accepted
        wait_until(lambda: loaded.counters().accepted > full + STEP, what="records to be accepted again")
        loaded.load.stopping = True
        wait_until(lambda: not loaded.load.open, what="the load to end")
        wait_until(lambda: reader.sequences()[-1:] == [loaded.counters().accepted], what="the last record to arrive")
    assert reader.sequences() == list(range(1, loaded.counters().accepted + 1)), "an accepted record did not arrive"


@pytest.mark.long
def test_settings_change_under_load(loaded: LoadedProxy) -> None:
    reader = loaded.reader()
    settings = loaded.proxy.shared / "proxy.json"
    with program(loaded.folder, reader_module.__name__, str(loaded.proxy.shared), str(reader.out)):
        wait_until(lambda: reader.handshakes() == 1, what="the handshake")
        loaded.await_requests()
        settings.with_suffix(".new").write_text('{"maxRecordsPerSecond": 0}')
        settings.with_suffix(".new").replace(settings)
        before = loaded.counters().outcomes["sampled_out", "rate"]
        wait_until(
            lambda: loaded.counters().outcomes["sampled_out", "rate"] > before + STEP, what="the new rate to apply"
        )
        settings.with_suffix(".new").write_text("{ not JSON")
        settings.with_suffix(".new").replace(settings)
        loaded.await_requests(3 * STEP)
