"""The temporary folder and the child processes of a demo. Both are removed when the context ends, for any reason.

Each process has its own session, so Ctrl-C reaches only the demo, which stops the others one by one. The demo's own
processes end with their standard input. The kernel signals `pilotfish run` when the demo dies.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self

from ..errors import PilotfishError
from ..report.schema import Report
from .messages import AnyMessage, ProcessFailure, Ready, parse_message

PYTHON = (sys.executable, "-P", "-m")  # -P: import nothing from the current folder
PATIENCE = 60.0  # seconds until a process must be ready; 1 to 3 on an idle machine
GRACE = 8.0  # seconds that a process has to end after it was asked to
LOG_SHOWN = 600  # characters
PORTS = range(20_000, 32_000)
PREFIX = "pilotfish-demo-"
PARENTS = ("/dev/shm", "/tmp", "/var/tmp")  # noqa: S108  # parents for our own folder, which has mode 0700
LONGEST_PARENT = 50  # characters; a path of a Unix socket below it must stay under 108


class DemoError(PilotfishError):
    """The demo cannot be set up or cannot finish; the message names the part and the reason."""


@dataclass
class ChildProcess:
    """A running process. Its messages go to `messages`, and a ProcessFailure when it ends unexpectedly."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    messages: asyncio.Queue[AnyMessage | Report]
    ready: asyncio.Future[int]
    reading: asyncio.Task[None] | None = None
    stopped: bool = False

    async def port(self) -> int:
        """Wait until the process is ready and return its port."""
        try:
            async with asyncio.timeout(PATIENCE):
                return await asyncio.shield(self.ready)
        except TimeoutError as error:
            raise DemoError(f"the {self.name} was not ready within {PATIENCE:.0f} s; {self.log_tail()}") from error

    def log_tail(self) -> str:
        """Return the end of its standard error, for messages."""
        text = self.log.read_text(errors="replace").strip()
        return f"its last output: {text[-LOG_SHOWN:]}" if text else "it wrote nothing to standard error"

    async def stop(self) -> None:
        """Ask the process to end, wait GRACE seconds, then kill it."""
        self.stopped = True
        if self.process.stdin is not None:
            self.process.stdin.close()
        else:
            with suppress(ProcessLookupError):  # it has ended already
                self.process.terminate()
        try:
            async with asyncio.timeout(GRACE):
                await self.process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):  # see above
                self.process.kill()
            await self.process.wait()
        if self.reading is not None:
            await self.reading


class Sandbox:
    """Folder and processes of one demo; `async with Sandbox() as sandbox`."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[AnyMessage | Report] = asyncio.Queue()
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=short_parent()))
        self._exits.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file into the folder, readable by its owner only (so is the folder), and return its path."""
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(0o600)
        return path

    async def own(self, module: str, *arguments: Path) -> ChildProcess:
        """Start the demo module `pilotfish.sidecar.demo.<module>` as a process."""
        command = (*PYTHON, f"pilotfish.sidecar.demo.{module}", *map(str, arguments))
        return await self._start(module, command, own=True)

    async def pilotfish(self, *arguments: str) -> ChildProcess:
        """Start the command `pilotfish` with `arguments`."""
        command = (
            *PYTHON,
            "pilotfish.sidecar.system.parent_death",
            str(os.getpid()),
            *PYTHON,
            "pilotfish.sidecar.cli",
            *arguments,
        )
        return await self._start(f"pilotfish {arguments[0]}", command, own=False)

    async def _start(self, name: str, command: tuple[str, ...], *, own: bool) -> ChildProcess:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE if own else asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE
                if own
                else errors,  # a pipe would stay open as long as any of its children
                stderr=errors,
                start_new_session=True,
            )
        child = ChildProcess(name, process, log, self.messages, asyncio.get_running_loop().create_future())
        self._exits.push_async_callback(child.stop)
        child.reading = asyncio.create_task(_read(child))
        return child


async def _read(child: ChildProcess) -> None:
    """Forward the messages of a process, and report when it ends without being asked to."""
    stdout = child.process.stdout
    while stdout is not None and (line := await stdout.readline()):
        message = parse_message(line)
        if isinstance(message, Ready):
            child.ready.set_result(message.port)
        else:
            child.messages.put_nowait(message)
    status = await child.process.wait()
    reason = f"the {child.name} ended with status {status}; {child.log_tail()}"
    if not child.ready.done():
        child.ready.set_exception(DemoError(reason))
        child.ready.exception()  # no task may be waiting for it any more
    if not child.stopped:
        child.messages.put_nowait(ProcessFailure(reason=reason))


def short_parent() -> str:
    """Return the folder for temporary files, or another one if its path is too long for a socket inside."""
    usual = tempfile.gettempdir()
    usable = (
        parent for parent in (usual, *PARENTS) if len(parent) <= LONGEST_PARENT and os.access(parent, os.W_OK | os.X_OK)
    )
    return next(usable, usual)


def free_ports(count: int) -> list[int]:
    """Return `count` different TCP ports of 127.0.0.1 on which nothing listens.

    They lie below the range of outgoing connections, which a busy machine uses up quickly. Raises DemoError when there
    are not enough.
    """
    found: list[int] = []
    for port in Random().sample(PORTS, len(PORTS)):
        if len(found) == count:
            return found
        with socket.socket() as probe, suppress(OSError):  # in use: try the next one
            probe.bind(("127.0.0.1", port))
            found.append(port)
    raise DemoError(f"no {count} free ports between {PORTS.start} and {PORTS.stop} on 127.0.0.1")
