"""The live table on a pseudo terminal: what it shows, and that each end restores the terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.support.ports import free_port
from tests.support.waiting import patient, wait_until
from tests.top.made import exposition
from tests.top.test_sidecars import REPORT, admin

pytestmark = pytest.mark.long  # each test starts a process
ENTERED, LEFT, CURSOR_SHOWN = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"
COLOUR = re.compile(rb"\x1b\[[0-9;]*3[0-9]m|\x1b\[[0-9;]*38;")
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]")


@dataclass
class Terminal:
    """A process on a pseudo terminal. `output` is all that it has written."""

    process: int
    descriptor: int
    before: list[object]
    output: bytes = b""
    status: int | None = field(default=None)

    def text(self) -> str:
        """Return the last picture, as far as it has arrived."""
        self.read()
        return ESCAPES.sub(b"", self.output.rpartition(b"\x1b[H")[2]).decode(errors="replace")

    def read(self) -> None:
        while select.select([self.descriptor], [], [], 0)[0]:
            try:
                received = os.read(self.descriptor, 65536)
            except OSError:  # the process has ended
                return
            self.output += received

    def wrote(self, sequence: bytes, times: int) -> bool:
        """Return whether the process has written an escape sequence so often."""
        self.read()
        return self.output.count(sequence) == times

    def wait_for(self, text: str) -> None:
        wait_until(lambda: text in self.text(), what=text)

    def press(self, keys: bytes) -> None:
        os.write(self.descriptor, keys)

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def ended(self) -> bool:
        self.read()
        if self.status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if process else None
        return self.status is not None

    def check_restored(self) -> None:
        """Check that the process has ended, and that screen, cursor and mode are those from before."""
        wait_until(self.ended, what="the end of the process")
        self.read()
        assert self.output.count(ENTERED) == self.output.count(LEFT) > 0
        assert self.output.rindex(CURSOR_SHOWN) > self.output.rindex(ENTERED)
        assert termios.tcgetattr(self.descriptor) == self.before


def start(words: list[str], environment: dict[str, str] | None = None) -> Terminal:
    """Start `pilotfish top` on a terminal of 80 columns and 24 lines."""
    process, descriptor = pty.fork()
    if process == 0:
        variables = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **(environment or {})}
        os.execve(sys.executable, [sys.executable, "-m", "pilotfish.sidecar.cli", "top", *words], variables)
    terminal = Terminal(process, descriptor, termios.tcgetattr(descriptor))
    terminal.resize(80, 24)
    return terminal


@pytest.fixture
def port() -> Iterator[int]:
    with admin({"/metrics": (200, exposition(requests=5).encode()), "/report": (200, REPORT.encode())}) as found:
        yield found


@pytest.fixture
def terminal(port: int) -> Iterator[Terminal]:
    started = start([f"127.0.0.1:{port}", "--interval", "0.5"])
    try:
        started.wait_for("delays 7")
        yield started
    finally:
        if not started.ended():
            os.kill(started.process, signal.SIGKILL)
            os.waitpid(started.process, 0)
        os.close(started.descriptor)


def test_q_ends_it(terminal: Terminal) -> None:
    assert mode(terminal) & termios.ICANON == 0, "keys arrive at once"
    terminal.press(b"q")
    terminal.check_restored()
    assert terminal.status == 0


def mode(terminal: Terminal) -> int:
    """Return the local modes of the terminal."""
    return int(termios.tcgetattr(terminal.descriptor)[3])


def test_ctrl_c_ends_it(terminal: Terminal) -> None:
    terminal.press(b"\x03")
    terminal.check_restored()
    assert terminal.status == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it(terminal: Terminal, number: signal.Signals) -> None:
    os.kill(terminal.process, number)
    terminal.check_restored()
    assert terminal.status == 128 + number


def test_ctrl_z_gives_the_terminal_back_and_fg_takes_it_again(terminal: Terminal) -> None:
    terminal.press(b"\x1a")
    wait_until(lambda: terminal.wrote(LEFT, 1), what="the terminal is given back")
    wait_until(lambda: os.waitid(os.P_PID, terminal.process, os.WSTOPPED | os.WNOHANG | os.WNOWAIT), what="a stop")
    assert mode(terminal) & termios.ICANON, "lines are edited again"
    os.kill(terminal.process, signal.SIGCONT)
    wait_until(lambda: terminal.wrote(ENTERED, 2), what="the picture is back")
    terminal.wait_for("delays 7")
    terminal.press(b"q")
    terminal.check_restored()


def test_keys_sort_split_and_filter(terminal: Terminal) -> None:
    terminal.press(b"b")
    terminal.wait_for("by pod")
    terminal.press(b"\x1b[C")
    terminal.wait_for("sorted by p95")
    terminal.press(b"/nowhere")
    terminal.wait_for("no row matches the filter")
    terminal.press(b"\x1b")
    terminal.wait_for("delays 7")


def test_it_follows_the_size_of_the_terminal(terminal: Terminal) -> None:
    terminal.resize(40, 10)
    os.kill(terminal.process, signal.SIGWINCH)

    def lines() -> list[str]:
        found = terminal.text().replace("\r", "").split("\n")
        return found if len(found) == 10 and all(len(line) <= 40 for line in found) else []

    assert any("STATE" in line for line in wait_until(lines, what="10 lines of 40 columns"))


def test_a_sidecar_that_stops_answering_is_shown_with_its_age() -> None:
    port = free_port()
    with admin({"/metrics": (200, exposition().encode()), "/report": (200, REPORT.encode())}) as other:
        started = start([f"127.0.0.1:{port}", f"127.0.0.1:{other}", "--interval", "0.5", "--split", "pod"])
        started.wait_for("no answer yet")
        started.wait_for("watching")
    wait_until(lambda: re.search(r"delays 7.*  -  .*no answer [1-9]", started.text()), what="an age")
    started.press(b"q")
    started.check_restored()
    os.close(started.descriptor)


def test_no_color_shows_no_colour(port: int) -> None:
    started = start([f"127.0.0.1:{port}", "--interval", "0.5"], {"NO_COLOR": "1"})
    started.wait_for("watching")
    started.press(b"q")
    started.check_restored()
    assert not COLOUR.search(started.output)
    os.close(started.descriptor)


def test_a_terminal_without_a_screen_gets_one_table(port: int) -> None:
    started = start([f"127.0.0.1:{port}", "--interval", "0.5"], {"TERM": "dumb"})
    wait_until(started.ended, timeout=patient(10), what="the end of the process")
    started.read()
    assert b"delays 7" in started.output
    assert ENTERED not in started.output
    os.close(started.descriptor)
