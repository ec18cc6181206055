"""What `POST /v1/sync` costs the controller, with TLS, authentication, fold and acknowledgements.

`measure` starts this module as a process of its own, whose CPU time it reads from the kernel, and plays the pods.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.control.manager.core import MonitorCore
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.pods import MonitoredPod
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.control.manager.server.backend import (
    AlertsAnswer,
    ControllerState,
    MayCreate,
    MonitorPods,
    ScaleAnswer,
)
from pilotfish.sidecar.serving.tls import TlsFiles
from pilotfish.sidecar.sync.messages import (
    CONTENT_TYPE,
    SYNC_PATH,
    Pod,
    Signals,
    SyncRequest,
    SyncResponse,
    TickReport,
    encode,
)
from pilotfish.sidecar.telemetry.fleet import ControllerReading
from tests.support.tls import ONE, trusting

NAMESPACE, MONITOR = "shop", "prices"
AT_ONCE = 20  # requests in flight
DOCUMENT = {
    "apiVersion": "pilotfish.dev/v1alpha1",
    "kind": "ModelMonitor",
    "metadata": {"name": MONITOR, "namespace": NAMESPACE, "uid": "u", "generation": 1},
    "spec": {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": MONITOR},
        "profiles": [{"version": "1", "configMap": "prices-profile"}],
    },
}


def uid_of(number: int) -> str:
    """Return the UID of a pod."""
    return f"00000000-0000-4000-8000-{number:012d}"


@dataclass
class CoreBackend:
    """A backend with one monitor, which acknowledges after each request as after a stored checkpoint."""

    core: MonitorCore
    leading: bool = True

    def state(self) -> ControllerState:
        return ControllerState(role="leader", contact_age=0.0)

    def reading(self) -> ControllerReading:
        return ControllerReading(now=time.time(), leading=True)

    def knows(self, namespace: str, monitor: str) -> bool:
        return (namespace, monitor) == (NAMESPACE, MONITOR)

    def has_pod(self, namespace: str, monitor: str, uid: str) -> bool:
        return uid in self.core.pods

    def monitor_of(self, pod: Pod, named: str) -> str:
        return named

    def pods_of(self, namespace: str, monitor: str) -> MonitorPods | None:
        return MonitorPods(uids=frozenset(self.core.pods))

    async def sync(self, request: SyncRequest) -> SyncResponse:
        return self.core.receive(request, time.time())

    async def signals(self, signals: Signals) -> None:
        pass

    async def profile(self, pod: Pod, profile_hash: str) -> bytes | None:
        return None

    async def offer_profile(self, pod: Pod, profile_hash: str, body: bytes) -> None:
        pass

    def scale(self, namespace: str, monitor: str) -> ScaleAnswer | None:
        return None

    async def alerts(self, body: bytes, may_create: MayCreate) -> AlertsAnswer:
        return AlertsAnswer()


async def _review(body: dict[str, Any]) -> Mapping[str, Any]:
    """Accept a token that is the number of a pod."""
    token = body["spec"]["token"]
    extra = {
        "authentication.kubernetes.io/pod-name": [f"prices-{token}"],
        "authentication.kubernetes.io/pod-uid": [uid_of(int(token))],
    }
    user = {"username": f"system:serviceaccount:{NAMESPACE}:default", "extra": extra}
    return {"status": {"authenticated": True, "audiences": body["spec"]["audiences"], "user": user}}


async def _serve(pods: int, raw: bytes) -> None:
    core = MonitorCore(MonitorKey(NAMESPACE, MONITOR, "u"), time.time())
    core.use_document(msgspec.json.encode(DOCUMENT))
    assert core.document is not None, core.problem
    core.use_pods({uid_of(one): MonitoredPod(uid_of(one), f"prices-{one}", "1", 0.0) for one in range(pods)})
    core.use_profile("1", Profile.from_bytes(raw), raw)
    server = ControlServer(
        CoreBackend(core), _review, ServerOptions(listen="127.0.0.1:0", certificates=CertificateFiles(TlsFiles(*ONE)))
    )
    await server.start()
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await server.stop()


def _cpu(pid: int) -> float:
    """Return the CPU seconds of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _play(port: int, bodies: list[list[bytes]], *, keep: bool) -> None:
    """Send one request of each pod after the other, AT_ONCE at a time, round after round."""
    connector = aiohttp.TCPConnector(limit=AT_ONCE, ssl=trusting(ONE[0]), force_close=not keep)
    waiting = asyncio.Semaphore(AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def send(number: int, body: bytes) -> None:
            headers = {"Authorization": f"Bearer {number}", "Content-Type": CONTENT_TYPE}
            async with waiting, session.post(f"https://127.0.0.1:{port}{SYNC_PATH}", data=body, headers=headers) as got:
                answer = await got.read()
                assert got.status == 200, (got.status, answer[:300])

        for sent in bodies:
            await asyncio.gather(*(send(number, body) for number, body in enumerate(sent)))


def measure(profile: Profile, reports: list[bytes], pods: int, rounds: int) -> dict[str, float]:
    """Return the CPU seconds of one request of each of `pods` pods, by what the connections do."""
    found = {}
    for name, keep in (("kept connections", True), ("a new connection for each request", False)):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.control_http", str(pods)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert child.stdin is not None
        assert child.stdout is not None
        raw = profile.to_bytes()
        child.stdin.write(len(raw).to_bytes(8, "big") + raw)
        child.stdin.flush()
        port = int(child.stdout.readline())
        first = int(time.time() // 60) - rounds
        bodies = [
            [_request(number, profile, reports, first + round_) for number in range(pods)] for round_ in range(rounds)
        ]
        asyncio.run(_play(port, bodies[:1], keep=keep))  # tokens are reviewed and cached in the first round
        before = _cpu(child.pid)
        asyncio.run(_play(port, bodies[1:], keep=keep))
        found[name] = (_cpu(child.pid) - before) / (rounds - 1)
        child.stdin.close()
        child.wait()
    return found


def _request(number: int, profile: Profile, reports: list[bytes], tick: int) -> bytes:
    pod = Pod(namespace=NAMESPACE, name=f"prices-{number}", uid=uid_of(number))
    report = TickReport(tick=tick, sequence=60, counts=reports[number % len(reports)])
    return encode(
        SyncRequest(
            pod=pod, monitor=MONITOR, epoch="1-1", profile_hash=profile.hash, complete_through=tick, ticks=(report,),
            generation=1,
        )
    )  # fmt: skip


if __name__ == "__main__":
    size = int.from_bytes(sys.stdin.buffer.read(8), "big")
    asyncio.run(_serve(int(sys.argv[1]), sys.stdin.buffer.read(size)))
