"""A kubelet that serves podresources.v1 at a unix socket, and fails on demand."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from pilotfish.sidecar.node.messages import ALLOCATABLE, LIST, MESSAGES
from tests.support.waiting import patient


def pod(name: str, devices: dict[str, list[str]], *, namespace: str = "models", claims: tuple[Any, ...] = ()) -> dict:
    """Return a pod with devices by resource, and devices of claims as (driver, pool, device)."""
    found = [{"resource_name": resource, "device_ids": ids} for resource, ids in devices.items()]
    dynamic = [
        {
            "claim_name": "gpu",
            "claim_namespace": namespace,
            "claim_resources": [{"driver_name": driver, "pool_name": pool, "device_name": device}],
        }
        for driver, pool, device in claims
    ]
    container = {"name": "model", "devices": found, "dynamic_resources": dynamic}
    return {"name": name, "namespace": namespace, "containers": [container]}


@dataclass
class FakeKubelet:
    """Answers with `pods`, or with the bytes `raw`; with `code`, refuses; with `hang`, never answers."""

    pods: list[dict] = field(default_factory=list)
    allocatable: list[dict] = field(default_factory=list)
    code: grpc.StatusCode | None = None
    hang: bool = False
    raw: bytes | None = None
    released: threading.Event = field(default_factory=threading.Event)

    def list(self, _: Any, context: Any) -> bytes:
        """Answer List."""
        self._fail(context)
        if self.raw is not None:
            return self.raw
        return bytes(MESSAGES["ListPodResourcesResponse"](pod_resources=self.pods).SerializeToString())

    def get_allocatable(self, _: Any, context: Any) -> bytes:
        """Answer GetAllocatableResources."""
        self._fail(context)
        return bytes(MESSAGES["AllocatableResourcesResponse"](devices=self.allocatable).SerializeToString())

    def _fail(self, context: Any) -> None:
        if self.hang:
            self.released.wait(patient(60))
        if self.code is not None:
            context.abort(self.code, "scripted")


@contextmanager
def serving(kubelet: FakeKubelet, path: Path) -> Iterator[None]:
    """Serve at the unix socket `path`; the file is gone afterwards."""
    server = grpc.server(ThreadPoolExecutor(2))
    methods = {LIST: kubelet.list, ALLOCATABLE: kubelet.get_allocatable}
    service = LIST.split("/")[1]
    handlers = {path.split("/")[2]: grpc.unary_unary_rpc_method_handler(answer) for path, answer in methods.items()}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        yield
    finally:
        kubelet.released.set()
        server.stop(None).wait()
        path.unlink(missing_ok=True)
