"""Child processes of a test: started with their output in files, ended by pid, shown when the test fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import patient, wait_until

SHOWN = 8000  # the last bytes of an output that a failure report shows


def state_of(pid: int) -> str:
    """Return the state of the process `pid` as in proc(5), "T" for a stopped one; "" if there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(pid: int) -> bool:
    """Return whether the process `pid` runs; a zombie does not."""
    return state_of(pid) not in {"", "Z", "X"}


def stop(pid: int) -> None:
    """Stop the process `pid`, and wait until it is stopped: a later signal could otherwise overtake SIGSTOP."""
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: state_of(pid) == "T", what=f"process {pid} to stop")


@dataclass
class Child:
    """A running child; `process` is the usual Popen, its outputs go to the files `stdout` and `stderr`."""

    process: subprocess.Popen[bytes]
    stdout: Path
    stderr: Path

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def running(self) -> bool:
        """Return whether it still runs."""
        return self.process.poll() is None

    def output(self) -> str:
        """Return what it has written to standard output so far."""
        return self.stdout.read_text(errors="replace")

    def errors(self) -> str:
        """Return what it has written to standard error so far."""
        return self.stderr.read_text(errors="replace")

    def crashed(self) -> bool:
        """Return whether an exception ended it, or one of its children: with a traceback, or with a line in the log."""
        return any(word in self.errors() for word in ("Traceback", " CRITICAL ", '"level": "critical"'))


@dataclass
class Children:
    """Starts children and ends every one of them; the fixture `spawn` is an instance."""

    folder: Path
    started: list[Child] = field(default_factory=list)

    def __call__(self, *argv: str | Path, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Child:
        """Start `argv` (with `env` added to this process's environment) and return the running child."""
        stem = self.folder / f"child-{len(self.started)}"
        stdout, stderr = stem.with_suffix(".out"), stem.with_suffix(".err")
        with stdout.open("wb") as out, stderr.open("wb") as err:
            process = subprocess.Popen(
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env={**os.environ, **(env or {})},
            )
        child = Child(process, stdout, stderr)
        self.started.append(child)
        return child

    def pilotfish(self, *arguments: str | Path, env: Mapping[str, str] | None = None) -> Child:
        """Start `pilotfish` with `arguments`, under the Python that runs the tests."""
        return self(sys.executable, "-m", "pilotfish.sidecar.cli", *arguments, env=env)

    def end(self) -> None:
        """Kill what still runs, by its own pid, and reap it (SIGKILL ends a stopped process, too)."""
        for child in self.started:
            if child.running():
                child.process.kill()
            child.process.wait(timeout=patient(10))

    def report(self) -> str:
        """Return the end of every child's outputs, for the report of a failed test."""
        parts = []
        for child in self.started:
            name = " ".join(map(str, child.process.args))[:200]  # type: ignore[arg-type]  # always the list given above
            parts.append(f"--- {name}: pid {child.pid}, status {child.process.returncode}")
            parts += [text[-SHOWN:] for text in (child.output(), child.errors()) if text]
        return "\n".join(parts)
