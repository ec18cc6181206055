"""Runs a child process with limits on its time and its output.

The child limits its own memory, with `limits.limit_data`. No child outlives the call.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import PilotfishError

_CHUNK = 64 * 1024


class ChildTimeoutError(PilotfishError):
    """A child process exceeded its time and was killed."""


class ChildOutputError(PilotfishError):
    """A child process exceeded its output limit and was killed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The exit status of a child (negative: the signal that killed it) and its standard output."""

    status: int
    output: bytes


def run_bounded(
    command: Sequence[str], *, seconds: float, most_output: int, environment: Mapping[str, str] | None = None
) -> Finished:
    """Run `command` and wait for its end; kill it and raise ChildTimeoutError or ChildOutputError at a limit.

    `most_output` is in bytes. Standard input is /dev/null, and standard error is discarded. `environment` replaces the
    environment of this process; None passes it on.
    """
    deadline = time.monotonic() + seconds
    child = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    )
    assert child.stdout is not None
    try:
        output = _read(child.stdout.fileno(), deadline, most_output)
        status = child.wait(timeout=max(0.0, deadline - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired) as error:
        raise ChildTimeoutError(f"it took more than {seconds:g} s") from error
    finally:
        if child.returncode is None:
            child.kill()
            child.wait()
        child.stdout.close()
    return Finished(status, output)


def _read(descriptor: int, deadline: float, most: int) -> bytes:
    parts: list[bytes] = []
    left = most
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            wait = deadline - time.monotonic()
            if wait <= 0 or not selector.select(wait):
                raise TimeoutError
            part = os.read(descriptor, _CHUNK)
            if not part:
                return b"".join(parts)
            left -= len(part)
            if left < 0:
                raise ChildOutputError(f"it wrote more than {most} bytes")
            parts.append(part)
