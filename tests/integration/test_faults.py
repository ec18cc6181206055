"""Whatever happens to the reader of the records: not one request fails, and every exchange is counted once."""

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
STEP = 400  # requests that are to pass before and after each fault
ROUTE = "POST /v2/models/m/infer"


@contextmanager
def program(folder: Path, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of this package's modules as a program until the end of the block."""
    command = [sys.executable, "-m", module, *arguments]
    with (
        (folder / "programs.log").open("ab") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT) as process,
    ):
        try:
            yield process
        finally:
            process.kill()  # ends a stopped process, too


@dataclass
class Scene:
    """A loaded proxy; `previous` is the last look at its counters."""

    proxy: Proxy
    load: Load
    folder: Path
    previous: PageSnapshot

    def look(self) -> PageSnapshot:
        """Read the counters; none may run backwards, and routes and fates must agree in every copy."""
        page, before = self.proxy.page(), self.previous
        assert counted(page) == seen(page)
        assert all(page.fates[key] >= before.fates[key] for key in page.fates)
        assert all(
            new.codes[code] >= old.codes[code]
            for new, old in zip(page.routes, before.routes, strict=False)
            for code in new.codes
        )
        self.previous = page
        return page

    def pass_by(self, requests: int = STEP) -> None:
        """Let requests pass, looking at the counters all the while."""
        goal = self.load.answered + requests

        def passed() -> bool:
            self.look()
            return self.load.answered >= goal or bool(self.load.failures)

        wait_until(passed, what=f"{requests} requests")
        assert not self.load.failures

    def dropped(self, reason: str) -> int:
        """Return how many exchanges were dropped for `reason`."""
        return self.look().fates["dropped", reason]

    def reader(self) -> Reader:
        """Return a description of a new reader's output."""
        return Reader(self.folder / "frames")


@dataclass(frozen=True, slots=True)
class Reader:
    """What a reader program has written."""

    out: Path

    def lines(self) -> list[list[str]]:
        """Return its complete lines, in words."""
        return (
            [line.split() for line in self.out.read_text().splitlines(keepends=True) if line.endswith("\n")]
            if self.out.exists()
            else []
        )

    def sequences(self) -> list[int]:
        """Return the numbers of the records that it got."""
        return [int(words[1]) for words in self.lines() if words[0] == "record"]

    def greetings(self) -> int:
        """Return how often it was greeted."""
        return sum(words[0] == "hello" for words in self.lines())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    shared, port = tmp_path / "shared", free_port()
    shared.mkdir()
    (shared / "proxy.json").write_text('{"maxRecordsPerSecond": 1000000}')
    with program(tmp_path, load_module.__name__, str(port)):
        wait_until(lambda: answers(("127.0.0.1", port)), what="the server to listen")
        with running_proxy(("127.0.0.1", port), shared) as proxy:
            assert isinstance(proxy.address, tuple)
            with load(proxy.address[1]) as running:
                scene = Scene(proxy, running, tmp_path, proxy.page())
                wait_until(lambda: running.answered > STEP, what="the load to begin")
                yield scene
            assert not running.failures
            wait_until(lambda: not proxy.page().connections["open"] and not in_flight(proxy.page()), what="rest")
            page = scene.look()
            assert running.answered == running.sent == counted(page) == seen(page)
            assert {code: sum(route.codes[code] for route in page.routes) for code in ("2xx", "none")} == {
                "2xx": running.sent,
                "none": 0,
            }


def test_no_reader_at_all(scene: Scene) -> None:
    scene.pass_by()
    assert scene.look().accepted == 0
    assert scene.dropped("no_reader") == seen(scene.previous)


def test_killed_reader_comes_back(scene: Scene) -> None:
    reader = scene.reader()
    for _ in range(3):
        greetings = reader.greetings()
        with program(scene.folder, reader_module.__name__, str(scene.proxy.shared), str(reader.out)) as process:
            wait_until(lambda before=greetings: reader.greetings() > before, what="the reader to be greeted")  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            scene.pass_by()
            process.send_signal(signal.SIGKILL)
            scene.pass_by()
    sequences = reader.sequences()
    assert sequences == sorted(set(sequences)), "a record came twice or out of order"
    assert sequences[-1] <= scene.look().accepted
    assert len(sequences) > 2 * STEP


def test_stopped_reader_fills_the_channel_and_then_gets_on(scene: Scene) -> None:
    reader = scene.reader()
    with program(scene.folder, reader_module.__name__, str(scene.proxy.shared), str(reader.out)) as process:
        wait_until(lambda: reader.greetings() == 1, what="the proxy to greet the reader")
        process.send_signal(signal.SIGSTOP)
        wait_until(lambda: scene.dropped("channel_full") > STEP, timeout=30, what="the channel to fill")
        scene.pass_by()
        process.send_signal(signal.SIGCONT)
        full = scene.look().accepted
        wait_until(lambda: scene.look().accepted > full + STEP, what="records to be taken again")
        scene.load.stopping = True
        wait_until(lambda: not scene.load.open, what="the load to end")
        wait_until(lambda: reader.sequences()[-1:] == [scene.look().accepted], what="the last record to arrive")
    assert reader.sequences() == list(range(1, scene.look().accepted + 1)), "an accepted record did not arrive"


def test_settings_change_under_load(scene: Scene) -> None:
    reader = scene.reader()
    settings = scene.proxy.shared / "proxy.json"
    with program(scene.folder, reader_module.__name__, str(scene.proxy.shared), str(reader.out)):
        wait_until(lambda: reader.greetings() == 1, what="the proxy to greet the reader")
        scene.pass_by()
        settings.with_suffix(".new").write_text('{"maxRecordsPerSecond": 0}')
        settings.with_suffix(".new").replace(settings)
        before = scene.look().fates["sampled_out", "rate"]
        wait_until(lambda: scene.look().fates["sampled_out", "rate"] > before + STEP, what="the new rate to hold")
        settings.with_suffix(".new").write_text("{ this is no JSON")
        settings.with_suffix(".new").replace(settings)
        scene.pass_by(3 * STEP)
