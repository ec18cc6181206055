"""Proxy and analyzer process of a stack, started apart: either can be killed, and starts again at once."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass, field

from tests.e2e.stack import Stack
from tests.support.ports import accepts
from tests.support.processes import Child
from tests.support.waiting import wait_until

PROXY, ANALYZER = "proxy", "analyzer"


@dataclass
class Parts:
    """The two processes of `stack`, without their supervisor, whose backoff would slow down many kills."""

    stack: Stack
    children: dict[str, Child] = field(default_factory=dict)

    def start(self, part: str, *prefix: str) -> None:
        """Start one part, behind the command `prefix`."""
        stack, folder = self.stack, self.stack.folder
        if part == PROXY:
            listen, upstream = f"127.0.0.1:{stack.listen}", f"127.0.0.1:{stack.upstream}"
            shared = ("--shared", folder / "shared")
            child = stack.spawn.pilotfish("proxy", "--listen", listen, "--upstream", upstream, *shared)
        else:
            flags = {"--shared": "shared", "--file": "monitor.yaml", "--state": "state", "--token-file": "token"}
            paths = [part for flag, name in flags.items() for part in (flag, str(folder / name))]
            module = (sys.executable, "-m", "pilotfish.sidecar.run.child")
            child = stack.spawn(*prefix, *module, "run", "--admin", f"127.0.0.1:{stack.admin}", *paths)
        self.children[part] = child

    def start_both(self) -> None:
        """Start both parts; wait until the proxy accepts and the analyzer counts."""
        for part in (PROXY, ANALYZER):
            self.start(part)
        wait_until(lambda: accepts(self.stack.listen), what="the proxy")
        wait_until(self.stack.ready, timeout=30, what="the analyzer")

    def kill(self, part: str, *prefix: str) -> None:
        """Kill one part and start it again, behind `prefix`. A part never ends without SIGKILL."""
        child = self.children[part]
        child.process.send_signal(signal.SIGKILL)
        status = child.process.wait()
        assert status == -signal.SIGKILL, f"{part} ended with {status}: {child.errors()[-2000:]}"
        assert not child.crashed(), child.errors()[-2000:]
        self.start(part, *prefix)
