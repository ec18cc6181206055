"""A node's Pilotfish in the process of a test: scripted driver, kubelet, API server and folders of a node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.node_client import NodeClient, node_peer
from pilotfish.sidecar.node import figures
from pilotfish.sidecar.node.app import NodeOptions, serve
from pilotfish.sidecar.resources.gpu.sampler import GpuSampler, SamplerOptions
from pilotfish.sidecar.resources.pod.figures import AUDIENCE
from pilotfish.sidecar.serving.tls import TlsFiles
from tests.node.kubelets import FakeKubelet, serving
from tests.node.machines import FakeNode
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.tokens import pod_user
from tests.support.nvml.driver import ScriptedDriver
from tests.support.ports import accepts, free_port
from tests.support.tls import ONE
from tests.support.waiting import eventually, patient


@dataclass
class RunningNode:
    """What a test asks and changes."""

    folder: Path
    api: ApiServer
    machine: FakeNode
    kubelet: FakeKubelet
    port: int
    metrics_port: int
    stop: asyncio.Event
    serving: asyncio.Task[None]

    @property
    def url(self) -> str:
        """The address for pods."""
        return f"https://127.0.0.1:{self.port}"

    def token(self, uid: str, name: str = "m", *audiences: str) -> Path:
        """Return the file of a token of a pod."""
        token = f"token-{uid}-{'-'.join(audiences)}"
        self.api.tokens[token] = pod_user("models", "default", name, uid, audiences or (AUDIENCE,))
        path = self.folder / token
        path.write_text(token)
        path.chmod(0o600)
        return path

    def client(self, uid: str, name: str = "m", *audiences: str) -> NodeClient:
        """Return the client of the analyzer of a pod."""
        return NodeClient(node_peer(self.url, ONE[0], self.token(uid, name, *audiences)))

    async def end(self) -> None:
        """Stop serving."""
        self.stop.set()
        async with asyncio.timeout(patient(20)):
            await self.serving


@asynccontextmanager
async def running(
    folder: Path, machine: FakeNode, driver: ScriptedDriver, kubelet: FakeKubelet, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[RunningNode]:
    """Run a node with 50 samples a second of its GPUs."""
    for name, seconds in {"SAMPLE_SECONDS": 0.02, "KUBELET_SECONDS": 0.05, "LEAST_WALK_SECONDS": 0.0}.items():
        monkeypatch.setattr(figures, name, seconds)
    socket, stop = folder / "kubelet.sock", asyncio.Event()
    async with ApiServer() as api:
        kube = await api.connect()
        with serving(kubelet, socket):
            options = NodeOptions(
                name="node1",
                tls=TlsFiles(*ONE),
                listen=f"127.0.0.1:{free_port()}",
                metrics_listen=f"127.0.0.1:{free_port()}",
                pod_resources=socket,
                cgroups=machine.cgroups,
                proc=machine.proc,
            )
            sampler = GpuSampler(
                SamplerOptions(interval=0.02, environment=driver.environment),
                sleep=lambda seconds: asyncio.sleep(seconds / 100),
            )
            port, metrics = (int(text.rpartition(":")[2]) for text in (options.listen, options.metrics_listen))
            task = asyncio.create_task(serve(kube, options, stop, sampler))
            found = RunningNode(folder, api, machine, kubelet, port, metrics, stop, task)
            try:
                await eventually(lambda: task.done() or accepts(port), timeout=20, what="the node to listen")
                yield found
            finally:
                await found.end()
                await kube.close()


def script(driver: ScriptedDriver, **lines: object) -> None:
    """Change lines of GPU 0."""
    driver.change({f"{name}.0": value for name, value in lines.items()})


def parsed(raw: bytes) -> dict:
    """Return the JSON of a response."""
    return dict(json.loads(raw))
