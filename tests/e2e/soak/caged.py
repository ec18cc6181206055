"""Starts a stack in a cage."""

from __future__ import annotations

import os
import sys

from tests.e2e.soak.cage import USER, VOLUME, Cage
from tests.e2e.stack import Stack
from tests.support.waiting import wait_until

PILOTFISH = (sys.executable, "-m", "pilotfish.sidecar.cli")


def start_caged(stack: Stack, cage: Cage, *, shared: str = f"{VOLUME}/shared", state: str = f"{VOLUME}/state") -> None:
    """Start `pilotfish run` in `cage`; wait until it relays or has ended. An empty `shared` leaves the flag out."""
    os.chown(stack.folder, USER, USER)
    flags = {
        "--listen": f"127.0.0.1:{stack.listen}",
        "--upstream": f"127.0.0.1:{stack.upstream}",
        "--admin": f"127.0.0.1:{stack.admin}",
        "--file": f"{VOLUME}/monitor.yaml",
        "--token-file": f"{VOLUME}/token",
        "--shared": shared,
        "--state": state,
    }
    words = [word for flag, value in flags.items() if value for word in (flag, value)]
    child = stack.spawn(*cage.prefix(), *PILOTFISH, "run", *words)
    stack.child = child
    wait_until(lambda: "relaying" in child.errors() or not child.running(), what="the proxy")
