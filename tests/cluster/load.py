"""Clients on the node's machine, and their results."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import client
from tests.support.node.node import Node
from tests.support.node.pods import get
from tests.support.processes import Child
from tests.support.waiting import patient, wait_until


@dataclass
class Load:
    """A client that runs; `result` is there when it has ended."""

    child: Child
    result: client.Result = field(default_factory=client.Result)

    def answered(self) -> int:
        """Return how many requests have been answered so far."""
        return self.child.output().partition("\n")[0].count(".")

    def more(self, requests: int = 100) -> None:
        """Wait until more requests have been answered."""
        wanted = self.answered() + requests
        wait_until(lambda: self.answered() >= wanted, timeout=60, what=f"{requests} answers: {self.child.errors()}")


@contextlib.contextmanager
def load(cluster: Node, namespace: str, service: str, years: float = 0.0) -> Iterator[Load]:
    """Send requests to a Service by its ClusterIP within the block."""
    spec: dict[str, Any] = get(cluster.plane, namespace, "service", service)["spec"]
    address = f"{spec['clusterIP']}:{spec['ports'][0]['port']}"
    # In the machine's network, and outside its processes, so that it ends by its pid.
    child = cluster.machine.children(
        *cluster.machine.inside(processes=False), sys.executable, client.__file__, address, str(years)
    )
    running = Load(child)
    try:
        running.more(1)
        yield running
        child.process.terminate()
        child.process.wait(timeout=patient(30))
        running.result = client.Result(**json.loads(child.output().partition("\n")[2]))
    finally:
        if child.running():
            child.process.kill()
