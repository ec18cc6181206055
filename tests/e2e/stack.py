"""A complete `pilotfish run` in front of a small model server, and what a user can observe of it over HTTP."""

from __future__ import annotations

import json
import os
import signal
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e import upstream
from tests.support.ports import free_port
from tests.support.processes import Child, Children
from tests.support.waiting import patient, wait_until

TOKEN = "a-token-of-tests"
DOCUMENT = """
apiVersion: pilotfish.dev/v1alpha1
kind: ModelMonitor
metadata: {name: m}
spec:
  mode: act
  model: {name: m, version: "1"}
  profiles: [{version: "1", path: profile.json}]
  drift: {tick: 200ms}
  retrain:
    cooldown: 1h
    webhook: {url: "%s", secretFile: secret}
"""
Samples = dict[str, float]


@dataclass
class Stack:
    """`pilotfish run` with a folder for document, profile, secret, token and state."""

    folder: Path
    spawn: Children
    listen: int
    admin: int
    upstream: int
    upstream_host: str = "127.0.0.1"
    child: Child | None = None

    @property
    def run(self) -> Child:
        """The running supervisor."""
        assert self.child is not None
        return self.child

    def write(self, name: str, content: str | bytes) -> None:
        """Replace a file of the folder atomically."""
        temporary = self.folder / f"{name}.new"
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        temporary.chmod(0o600)
        temporary.replace(self.folder / name)

    def start(self, *more: str, document: bool = True) -> None:
        """Start the processes; wait until the proxy relays and handles signals, or until the supervisor has ended."""
        flags = ["--file", str(self.folder / "monitor.yaml")] if document else []
        self.child = self.spawn.pilotfish(
            "run",
            "--listen",
            f"127.0.0.1:{self.listen}",
            "--upstream",
            f"{self.upstream_host}:{self.upstream}",
            "--admin",
            f"127.0.0.1:{self.admin}",
            "--state",
            str(self.folder / "state"),
            "--shared",
            str(self.folder / "shared"),
            "--token-file",
            str(self.folder / "token"),
            *flags,
            *more,
        )
        child = self.child
        wait_until(lambda: "relaying" in child.errors() or not child.running(), what="the proxy")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal `number` to the supervisor and return its exit status."""
        self.run.process.send_signal(number)
        return self.run.process.wait(timeout=patient(20))

    def pid(self, role: str) -> int:
        """Return the pid of the process `role`, "proxy" or "analyzer"; 0 while it does not run."""
        children = Path(f"/proc/{self.run.pid}/task/{self.run.pid}/children").read_text().split()
        for pid in map(int, children):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except (FileNotFoundError, ProcessLookupError):  # it has just ended
                continue
            if (b"proxy" in words) == (role == "proxy"):
                return pid
        return 0

    def kill_analyzer(self, number: int = signal.SIGKILL) -> int:
        """Send the analyzer process a signal and return its pid."""
        pid = wait_until(lambda: self.pid("analyzer"), what="an analyzer process")
        os.kill(pid, number)
        return pid

    def get(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        token: str = TOKEN,
        accept: str = "*/*",
        content_type: str = "application/octet-stream",
    ) -> tuple[int, bytes]:
        """Return status and body of a request to the admin address; status 0 without an answer."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", body, method=method)
        request.add_header("Authorization", f"Bearer {token}")
        request.add_header("Accept", accept)
        request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=patient(15)) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except OSError:
            return 0, b""

    def report(self) -> dict[str, Any]:
        """Return the report, empty without an answer."""
        status, body = self.get("/report")
        return json.loads(body) if status == 200 else {}

    def ready(self) -> bool:
        """Return whether the analyzer process counts exchanges."""
        return self.get("/readyz")[0] == 200

    def metrics(self) -> Samples:
        """Return all samples of one scrape by name and labels, empty without an answer."""
        status, body = self.get("/metrics")
        if status != 200:
            return {}
        return {
            f"{sample.name}{json.dumps(sample.labels, sort_keys=True)}": sample.value
            for family in text_string_to_metric_families(body.decode())
            for sample in family.samples
        }

    def episodes(self, *, opened: bool = True) -> list[dict[str, Any]]:
        """Return the open episodes, or the closed ones."""
        return [episode for episode in self.report().get("episodes", []) if episode["open"] is opened]


def total(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples of `name` that have `labels`."""
    wanted = labels.items()
    return sum(
        value
        for key, value in samples.items()
        if key.startswith(name + "{") and wanted <= json.loads(key[len(name) :]).items()
    )


def requests_total(samples: Samples) -> float:
    """Return the requests of all routes, from a counter that is independent of the accounting identity."""
    return total(samples, "pilotfish_requests_total")


def accounted(samples: Samples) -> float:
    """Return the right-hand side of the accounting identity: all outcomes, and the queued exchanges."""
    return total(samples, "pilotfish_exchanges_total") + total(samples, "pilotfish_exchanges_queued")


def create_stack(folder: Path, spawn: Children, profile: bytes, webhook: str) -> Stack:
    """Return a stack that is not started, in front of a running upstream."""
    port_file = folder / "upstream.port"
    spawn(sys.executable, upstream.__file__, port_file)
    wait_until(port_file.exists, what="the model server")
    stack = Stack(folder, spawn, free_port(), free_port(), int(port_file.read_text()))
    stack.write("monitor.yaml", DOCUMENT % webhook)
    stack.write("profile.json", profile)
    stack.write("secret", "a-secret-of-tests")
    stack.write("token", TOKEN)
    return stack
