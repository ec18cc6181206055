"""A proxy process on loopback ports, and the state of it that can be read from outside."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pilotfish.sidecar.channel import PAGE_FILE
from pilotfish.sidecar.channel.page import PageSnapshot, read_page
from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until

PILOTFISH = str(Path(sys.executable).with_name("pilotfish"))
DEADLINE = patient(10.0)
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")

Address = tuple[str, int] | str


def format_address(address: Address) -> str:
    """Return an address in the form of the command line."""
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def dial(address: Address, timeout: float = DEADLINE) -> socket.socket:
    """Return a stream socket connected to `address`, with TCP_NODELAY."""
    if isinstance(address, str):
        stream = socket.socket(socket.AF_UNIX)
        stream.settimeout(timeout)
        stream.connect(address)
        return stream
    stream = socket.create_connection(address, timeout=timeout)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def answers(address: Address) -> bool:
    """Return whether a process accepts connections at `address`."""
    try:
        dial(address, timeout=patient(1)).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running `pilotfish proxy`."""

    process: subprocess.Popen[bytes]
    address: Address
    health: tuple[str, int]
    shared: Path
    log: Path

    def page(self) -> PageSnapshot:
        """Return the current counters."""
        return read_page(self.shared / PAGE_FILE)

    def resident_kib(self) -> int:
        """Return the resident set in KiB."""
        return resident_kib(self.process.pid)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self, deadline: float = DEADLINE) -> int:
        """Wait for the end of the process and return its status."""
        return self.process.wait(deadline)


def has_probed(proxy: Proxy) -> bool:
    """Return whether every upstream has accepted a connection, or one has refused it."""
    connections = proxy.page().connections
    return not connections["upstreams_unreachable"] or connections["connect_failures"] > 0


def resident_kib(pid: int) -> int:
    """Return the resident set of a process in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {pid} has no resident set")


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def seen(page: PageSnapshot) -> int:
    """Return the number of exchanges with an outcome."""
    return sum(page.outcomes.values())


def counted(page: PageSnapshot) -> int:
    """Return the number of exchanges in the route slots."""
    return sum(sum(route.codes.values()) for route in page.routes)


def in_flight(page: PageSnapshot) -> int:
    """Return the number of exchanges that have started and have no outcome yet."""
    return sum(route.in_flight for route in page.routes)


@contextmanager
def running_proxy(
    upstream: Address,
    shared: Path,
    *,
    listen: Address | None = None,
    extra: Sequence[str] = (),
    prefix: Sequence[str] = (),
    killed: bool = False,
    answers_probe: bool = True,
) -> Iterator[Proxy]:
    """Run `pilotfish proxy` in front of `upstream` during the block. Wait first until it has probed the upstream.

    `prefix` is a command that runs the proxy. Set `killed` if the block ends the proxy with SIGKILL. Without
    `answers_probe`, the upstream neither accepts nor refuses.
    """
    address = listen if listen is not None else ("127.0.0.1", free_port())
    health = ("127.0.0.1", free_port())
    shared.mkdir(parents=True, exist_ok=True)
    log = shared.parent / f"{shared.name}.log"
    command = [*prefix, PILOTFISH, "proxy", "--listen", format_address(address), "--upstream", format_address(upstream)]
    command += ["--shared", str(shared), "--health", format_address(health), *extra]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
        proxy = Proxy(process, address, health, shared, log)
        try:
            wait_until(lambda: answers(health) or process.poll() is not None, what="the proxy to listen")
            assert process.poll() is None, f"the proxy ended with {process.returncode}: {log.read_text()}"
            if answers_probe:
                wait_until(lambda: has_probed(proxy), what="the probe of the upstream to end")
            yield proxy
            assert process.poll() in ((-signal.SIGKILL,) if killed else (None, 0)), (
                f"the proxy ended with {process.returncode}: {log.read_text()}"
            )
        finally:
            process.kill()
    text = log.read_text()
    assert not any(
        fault in text for fault in ("Traceback", " CRITICAL ", "handler failed", "timer failed", "observer failed")
    ), text
