"""The start and the end of `pilotfish run`: signals, exit statuses, addresses and folders."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.counters import MEASURED, encode
from pilotfish.sidecar.analyzer.totals_file import TOTALS_FILE, TotalsFile
from tests.e2e.load import loaded, until
from tests.e2e.stack import Stack
from tests.e2e.upstream import RESPONSE
from tests.support.ports import accepts, free_port
from tests.support.processes import Children
from tests.support.waiting import patient, wait_until


def test_sigterm_drains_and_ends_with_0(stack: Stack) -> None:
    stack.start()
    with socket.create_connection(("127.0.0.1", stack.listen), timeout=patient(10)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 2\r\n\r\n{")
        stack.run.process.terminate()
        wait_until(lambda: "draining" in stack.run.errors())
        client.sendall(b"}")
        assert client.recv(65536) == RESPONSE
    assert stack.run.process.wait(timeout=patient(20)) == 0
    assert not accepts(stack.admin)


def test_sigint_stops_at_once(stack: Stack) -> None:
    stack.start()
    with socket.create_connection(("127.0.0.1", stack.listen), timeout=patient(10)):
        assert stack.stop(signal.SIGINT) == 0


@pytest.mark.long
def test_the_exit_status_is_the_proxys_when_the_proxy_cannot_start(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.listen)):
        stack.start()
        assert stack.run.process.wait(timeout=patient(20)) == 2
    assert "cannot listen on" in stack.run.errors()


def test_wrong_flags_are_refused_before_anything_starts(spawn: Children) -> None:
    child = spawn.pilotfish("run", "--listen", "127.0.0.1:1", "--upstream", "nonsense", "--admin", "127.0.0.1:0")
    assert child.process.wait(timeout=patient(20)) == 2
    assert "nonsense" in child.errors()


@pytest.mark.long
def test_an_admin_address_in_use_at_the_start_ends_it_with_the_reason(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.admin)):
        stack.start()
        assert stack.run.process.wait(timeout=patient(20)) == 2
    said = stack.run.errors()
    assert f"cannot listen at '127.0.0.1:{stack.admin}': Address already in use; give another --admin" in said
    assert said.count("cannot listen") == 1
    assert not accepts(stack.listen)


@pytest.mark.long
def test_traffic_passes_while_a_restarted_analyzer_cannot_use_the_admin_address(stack: Stack) -> None:
    stack.start()
    wait_until(lambda: accepts(stack.admin), what="the admin address")
    stack.kill_analyzer()
    with taken(stack.admin):
        wait_until(lambda: "the analyzer process ended with status 2" in stack.run.errors())
        assert accepts(stack.listen)
    wait_until(stack.ready, timeout=20, what="the analyzer process, once the address is free")
    assert stack.stop() == 0


@contextmanager
def taken(port: int) -> Iterator[None]:
    """Take a port as soon as it is free, and hold it."""

    def take() -> socket.socket | None:
        try:
            return socket.create_server(("127.0.0.1", port))
        except OSError:
            return None

    server = wait_until(take, what="the port")
    assert server is not None
    with server:
        yield


@pytest.mark.long
@pytest.mark.parametrize("limit", ["16Mi", "100Mi", "150Mi"])
def test_a_memory_limit_that_is_too_low_to_start_ends_it_with_a_usable_one(stack: Stack, limit: str) -> None:
    stack.start("--memory-limit", limit)
    assert stack.run.process.wait(timeout=patient(20)) == 2
    said = stack.run.errors()
    assert f"--memory-limit {limit}: the analyzer needs" in said
    assert "give 256Mi or more" in said


@pytest.mark.parametrize("kibibytes", [20_000, 120_000])
def test_a_limit_from_outside_that_is_too_low_to_load_the_analyzer_is_named(
    stack: Stack, spawn: Children, kibibytes: int
) -> None:
    arguments = (
        f"--listen 127.0.0.1:{stack.listen} --upstream 127.0.0.1:{stack.upstream} --admin 127.0.0.1:{stack.admin}"
    )
    command = f"ulimit -d {kibibytes}; exec {sys.executable} -m pilotfish.sidecar.cli run {arguments}"
    child = spawn("sh", "-c", command)
    assert child.process.wait(timeout=patient(20)) == 2
    said = f"this process may use {kibibytes >> 10} MiB of data (RLIMIT_DATA, set outside of Pilotfish)"
    assert said in child.errors()


@pytest.mark.long
def test_state_of_another_run_ends_it_with_the_reason(stack: Stack, spawn: Children) -> None:
    stack.start()
    wait_until(lambda: accepts(stack.admin), what="the admin address")
    second = spawn.pilotfish(
        *("run", "--listen", f"127.0.0.1:{free_port()}", "--upstream", f"127.0.0.1:{stack.upstream}"),
        *("--admin", f"127.0.0.1:{free_port()}", "--state", stack.folder / "state"),
    )
    assert second.process.wait(timeout=patient(20)) == 2
    assert "another analyzer uses it; give each analyzer its own --state folder" in second.errors()
    assert stack.stop() == 0


@pytest.mark.parametrize(
    ("flag", "value"), [("--state", "/dev/null/state"), ("--token-file", "/nowhere"), ("--admin", "x")]
)
def test_options_that_cannot_be_used_end_it_before_anything_starts(spawn: Children, flag: str, value: str) -> None:
    child = spawn.pilotfish("run", "--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:1", flag, value)
    assert child.process.wait(timeout=patient(20)) == 2
    assert value in child.errors()
    assert "relaying" not in child.errors()


@pytest.mark.long
def test_a_signal_to_all_processes_under_load_loses_no_exchange_and_no_checkpoint(stack: Stack) -> None:
    stack.start()
    wait_until(stack.ready)
    analyzer, everyone = stack.pid("analyzer"), [stack.run.pid, stack.pid("proxy"), stack.pid("analyzer")]

    async def signal_all() -> int:
        async with loaded(stack.listen) as load:
            await until(lambda: load.answered > 50, "answers")
            for pid in everyone:
                os.kill(pid, signal.SIGTERM)
            await until(lambda: "draining" in stack.run.errors(), "the drain")
            answered = load.answered
            await until(lambda: load.answered > answered + 50, "answers while draining")
            assert stack.pid("analyzer") == analyzer
        assert load.failures == []
        return load.answered

    answered = asyncio.run(signal_all())
    assert stack.run.process.wait(timeout=patient(30)) == 0
    assert "ended with status" not in stack.run.errors()
    file = TotalsFile(stack.folder / "shared" / TOTALS_FILE)
    _, totals = file.read() or (0, {})
    file.close()
    assert totals[encode(MEASURED.key())] == answered
    saved = checkpoint.load(stack.folder / "state" / checkpoint.CHECKPOINT_FILE)
    assert saved is not None
    assert saved["ledger"]["totals"][encode(MEASURED.key())] == answered


@pytest.mark.long
def test_without_folders_it_uses_a_private_one_and_removes_it(stack: Stack, spawn: Children) -> None:
    listen, admin = free_port(), free_port()
    child = spawn.pilotfish(
        *("run", "--listen", f"127.0.0.1:{listen}", "--upstream", f"127.0.0.1:{stack.upstream}"),
        *("--admin", f"127.0.0.1:{admin}"),
    )
    wait_until(lambda: accepts(admin), what="the admin address")
    words = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split()
    shared = Path(Path(f"/proc/{words[0]}/cmdline").read_text().split("\0--shared\0")[1].split("\0")[0])
    assert shared.stat().st_mode & 0o777 == 0o700
    child.process.terminate()
    assert child.process.wait(timeout=patient(20)) == 0
    assert not shared.exists()


@pytest.mark.long
def test_the_command_analyze_is_supervised(spawn: Children, tmp_path: Path) -> None:
    admin = free_port()
    child = spawn.pilotfish("analyze", "--shared", tmp_path / "shared", "--admin", f"127.0.0.1:{admin}")
    wait_until(lambda: accepts(admin), what="the admin address")
    (analyzer,) = map(int, Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split())
    spawn("kill", "-KILL", str(analyzer)).process.wait()
    wait_until(lambda: "was killed by SIGKILL" in child.errors())
    wait_until(lambda: accepts(admin), what="the admin address after the restart")
    child.process.terminate()
    assert child.process.wait(timeout=patient(20)) == 0
