"""The start and the end of `pilotfish run`: signals, exit statuses, addresses and folders."""

from __future__ import annotations

import signal
import socket
from pathlib import Path

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


def test_the_exit_status_is_the_proxys_when_the_proxy_cannot_start(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.listen)):
        stack.start()
        assert stack.run.process.wait(timeout=patient(20)) == 2
    assert "cannot listen on" in stack.run.errors()


def test_wrong_flags_are_refused_before_anything_starts(spawn: Children) -> None:
    child = spawn.pilotfish("run", "--listen", "127.0.0.1:1", "--upstream", "nonsense", "--admin", "127.0.0.1:0")
    assert child.process.wait(timeout=patient(20)) == 2
    assert "nonsense" in child.errors()


def test_traffic_passes_while_the_admin_address_is_in_use(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.admin)):
        stack.start()
        wait_until(lambda: "the analyzer process ended with status 2" in stack.run.errors())
        assert accepts(stack.listen)
    wait_until(stack.ready, timeout=20, what="the analyzer process, once the address is free")
    assert stack.stop() == 0


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
