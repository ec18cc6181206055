"""The sidecars of a Deployment without a node: each pod becomes ready, and its load is sent to the controller.

The tokens are real ones of the API server, bound to the pods. `load` is the total concurrency, which the pods share.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp

from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import PODS, SERVICE_ACCOUNTS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import list_all
from pilotfish.sidecar.sync.messages import CONTENT_TYPE, SIGNALS_PATH, Pod, Signals, encode
from tests.support.waiting import patient

SECONDS = 1.0  # between two messages of a pod


@dataclass
class Sidecars:
    """The sidecars of the pods with the label `app`, which send to the controller at `url`; `load` None: nothing."""

    kube: Kube
    namespace: str
    app: str
    url: str
    trusted: ssl.SSLContext
    load: float | None = None
    _tokens: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send until the end of the block."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=patient(5))) as session:
            while True:
                pods, _ = await list_all(self.kube, PODS, self.namespace, label_selector=f"app={self.app}")
                for pod in pods:
                    await self._start(pod)
                if self.load is not None:
                    share = self.load / max(1, len(pods))
                    await asyncio.gather(*(self._send(session, pod, share) for pod in pods))
                await asyncio.sleep(SECONDS)

    async def _start(self, pod: dict[str, Any]) -> None:
        """Let a new pod become ready, and get its token."""
        name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
        if uid in self._tokens:
            return
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status = {"status": {"phase": "Running", "startTime": now, "conditions": [ready]}}
        await merge_patch(self.kube, PODS, name, status, self.namespace, subresource="status")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": name, "uid": uid}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": ["pilotfish"], "boundObjectRef": bound},
        }
        found = await create(self.kube, SERVICE_ACCOUNTS, body, self.namespace, name="default", subresource="token")
        self._tokens[uid] = found["status"]["token"]

    async def _send(self, session: aiohttp.ClientSession, pod: dict[str, Any], share: float) -> None:
        metadata = pod["metadata"]
        message = Signals(
            pod=Pod(namespace=self.namespace, name=metadata["name"], uid=metadata["uid"]),
            monitor="",
            at=time.time(),
            in_flight=round(share),
            concurrency=share,
            requests_per_second=10.0 * share,
            latency_p95=0.1,
        )
        headers = {"Authorization": f"Bearer {self._tokens[metadata['uid']]}", "Content-Type": CONTENT_TYPE}
        try:
            async with session.post(
                self.url + SIGNALS_PATH, data=encode(message), headers=headers, ssl=self.trusted
            ) as response:
                await response.read()
        except (aiohttp.ClientError, TimeoutError):
            pass  # the controller may be stopped
