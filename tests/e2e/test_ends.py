"""How it starts and how it ends."""

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


def test_sigint_ends_it_at_once(stack: Stack) -> None:
    stack.start()
    with socket.create_connection(("127.0.0.1", stack.listen), timeout=patient(10)):
        assert stack.stop(signal.SIGINT) == 0


def test_it_ends_with_the_proxys_status_when_the_proxy_cannot_run(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.listen)):
        stack.start()
        assert stack.run.process.wait(timeout=patient(20)) == 2
    assert "cannot listen on" in stack.run.errors()


def test_wrong_flags_are_refused_before_anything_starts(spawn: Children) -> None:
    child = spawn.pilotfish("run", "--listen", "127.0.0.1:1", "--upstream", "nonsense", "--admin", "127.0.0.1:0")
    assert child.process.wait(timeout=patient(20)) == 2
    assert "nonsense" in child.errors()


def test_an_admin_address_in_use_costs_no_traffic(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", stack.admin)):
        stack.start()
        wait_until(lambda: "the analyzer process ended with status 2" in stack.run.errors())
        assert accepts(stack.listen)
    wait_until(stack.ready, timeout=20, what="the analyzer process, once the address is free")
    assert stack.stop() == 0


def test_without_folders_it_keeps_everything_in_memory_and_leaves_nothing_behind(stack: Stack, spawn: Children) -> None:
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


def test_analyze_is_supervised_too(spawn: Children, tmp_path: Path) -> None:
    admin = free_port()
    child = spawn.pilotfish("analyze", "--shared", tmp_path / "shared", "--admin", f"127.0.0.1:{admin}")
    wait_until(lambda: accepts(admin), what="the admin address")
    (member,) = map(int, Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text().split())
    spawn("kill", "-KILL", str(member)).process.wait()
    wait_until(lambda: "was killed by SIGKILL" in child.errors())
    wait_until(lambda: accepts(admin), what="the admin address again")
    child.process.terminate()
    assert child.process.wait(timeout=patient(20)) == 0
