"""Starts a stack behind a program that limits it: a cage, or a smaller number of descriptors."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from tests.e2e.soak.cage import USER, VOLUME, Cage
from tests.e2e.stack import Stack
from tests.support.waiting import wait_until

PILOTFISH = (sys.executable, "-m", "pilotfish.sidecar.cli")


def start_caged(stack: Stack, cage: Cage, *, state: str = f"{VOLUME}/state") -> None:
    """Start `pilotfish run` in `cage`, as its user."""
    for path in (stack.folder, *stack.folder.iterdir()):
        os.chown(path, USER, USER)
    start_behind(stack, cage.prefix(), folder=VOLUME, state=state)


def start_behind(stack: Stack, prefix: Sequence[str], *, folder: str, state: str) -> None:
    """Start `pilotfish run` by the command `prefix`; it finds the stack's files in `folder`. Wait until it relays."""
    flags = {
        "--listen": f"127.0.0.1:{stack.listen}",
        "--upstream": f"127.0.0.1:{stack.upstream}",
        "--admin": f"127.0.0.1:{stack.admin}",
        "--file": f"{folder}/monitor.yaml",
        "--token-file": f"{folder}/token",
        "--shared": f"{folder}/shared",
        "--state": state,
    }
    words = [word for item in flags.items() for word in item]
    child = stack.spawn(*prefix, *PILOTFISH, "run", *words)
    stack.child = child
    wait_until(lambda: "relaying" in child.errors() or not child.running(), what="the proxy")
