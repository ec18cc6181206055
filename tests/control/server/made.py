"""A controller's server with a small backend and reviews of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.control.manager.server.backend import (
    AlertsAnswer,
    ControllerState,
    MayCreate,
    MonitorPods,
    ScaleAnswer,
)
from pilotfish.sidecar.kube.errors import UnavailableError
from pilotfish.sidecar.sync.messages import (
    Acknowledgement,
    Pod,
    Signals,
    SyncRequest,
    SyncResponse,
    TickReport,
    encode,
)
from pilotfish.sidecar.telemetry.fleet import ControllerReading
from tests.support.waiting import patient

NAMESPACE, MONITOR = "shop", "prices"
PACKED = {"Content-Type": "application/msgpack"}


def pod(number: int = 1, **other: str) -> Pod:
    """Return a pod of the monitor."""
    return Pod(**{"namespace": NAMESPACE, "name": f"prices-{number}", "uid": f"uid-{number}", **other})


def token(number: int = 1) -> str:
    """Return the token of a pod."""
    return f"pod-{number}"


def bearer(value: str) -> dict[str, str]:
    """Return the headers of a caller with this token."""
    return {"Authorization": f"Bearer {value}"}


def sync_request(number: int = 1, **other: Any) -> SyncRequest:
    """Return a request of a pod with one tick."""
    ticks = (TickReport(tick=7, sequence=3, counts=b"counts"),)
    return SyncRequest(**{"pod": pod(number), "monitor": MONITOR, "epoch": "e", "ticks": ticks, **other})


def signals(number: int = 1, **other: Any) -> Signals:
    """Return the load of a pod."""
    return Signals(**{"pod": pod(number), "monitor": MONITOR, "at": 1.0, **other})


@dataclass
class SmallBackend:
    """Acknowledges every tick, and keeps what it got."""

    leading: bool = True
    role: str = "leader"
    monitors: dict[tuple[str, str], MonitorPods] = field(
        default_factory=lambda: {(NAMESPACE, MONITOR): MonitorPods(uids=frozenset({"uid-1", "uid-2"}))}
    )
    profiles: dict[str, bytes] = field(default_factory=dict)
    scales: dict[tuple[str, str], ScaleAnswer] = field(default_factory=dict)
    synced: list[SyncRequest] = field(default_factory=list)
    signalled: list[Signals] = field(default_factory=list)
    error: Exception | None = None

    def state(self) -> ControllerState:
        return ControllerState(role=self.role, contact_age=0.5)

    def reading(self) -> ControllerReading:
        return ControllerReading(now=1.0, leading=self.leading)

    def knows(self, namespace: str, monitor: str) -> bool:
        return (namespace, monitor) in self.monitors

    def has_pod(self, namespace: str, monitor: str, uid: str) -> bool:
        found = self.monitors.get((namespace, monitor))
        return found is not None and uid in found.uids | found.unsynced

    def pods_of(self, namespace: str, monitor: str) -> MonitorPods | None:
        return self.monitors.get((namespace, monitor))

    def monitor_of(self, pod: Pod, named: str) -> str:
        return named or (MONITOR if self.has_pod(pod.namespace, MONITOR, pod.uid) else "")

    async def sync(self, request: SyncRequest) -> SyncResponse:
        if self.error is not None:
            raise self.error
        self.synced.append(request)
        found = tuple(Acknowledgement(tick=one.tick, sequence=one.sequence) for one in request.ticks)
        return SyncResponse(acknowledged=found)

    async def signals(self, signals: Signals) -> None:
        self.signalled.append(signals)

    async def profile(self, pod: Pod, profile_hash: str) -> bytes | None:
        return self.profiles.get(profile_hash) if pod.namespace == NAMESPACE else None

    async def offer_profile(self, pod: Pod, profile_hash: str, body: bytes) -> None:
        self.profiles[profile_hash] = body

    def scale(self, namespace: str, monitor: str) -> ScaleAnswer | None:
        return self.scales.get((namespace, monitor))

    async def alerts(self, body: bytes, may_create: MayCreate) -> AlertsAnswer:
        allowed = await may_create(NAMESPACE, MONITOR)
        return AlertsAnswer(accepted=int(allowed), ignored=int(not allowed))


@dataclass
class Reviews:
    """Answers reviews as an API server does; `down` makes it fail."""

    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    rights: set[tuple[str, str, str, str]] = field(default_factory=set)  # user, right, namespace, monitor
    down: bool = False
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for number in range(1, 10):
            self.add_pod(token(number), pod(number))
        self.users["labeller"] = {"username": "system:serviceaccount:etl:labels"}
        self.users["keda"] = {"username": "system:serviceaccount:shop:keda"}

    def add_pod(self, value: str, bound: Pod) -> None:
        """Accept a token that is bound to a pod."""
        self.users[value] = {
            "username": f"system:serviceaccount:{bound.namespace}:default",
            "extra": {
                "authentication.kubernetes.io/pod-name": [bound.name],
                "authentication.kubernetes.io/pod-uid": [bound.uid],
            },
        }

    async def __call__(self, body: dict[str, Any]) -> Mapping[str, Any]:
        self.asked.append(body["kind"])
        if self.down:
            raise UnavailableError("no answer", status=503)
        spec = body["spec"]
        if body["kind"] == "TokenReview":
            user = self.users.get(spec["token"])
            if user is None:
                return {"status": {"authenticated": False, "error": "unknown"}}
            return {"status": {"authenticated": True, "audiences": spec["audiences"], "user": user}}
        what = spec["resourceAttributes"]
        right = f"{what['verb']} {what['subresource']}"
        return {"status": {"allowed": (spec["user"], right, what["namespace"], what["name"]) in self.rights}}


@dataclass
class Served:
    """A running server and a client of it."""

    backend: SmallBackend
    reviews: Reviews
    server: ControlServer
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    async def post(
        self, path: str, body: bytes, caller: str | None = "pod-1", headers: Mapping[str, str] = PACKED
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Post and return status, body and headers."""
        return await self.send("POST", path, body, caller, headers)

    async def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        caller: str | None = None,
        headers: Mapping[str, str] = PACKED,
    ) -> tuple[int, bytes, Mapping[str, str]]:
        """Send a request and return status, body and headers."""
        given = {**headers, **(bearer(caller) if caller is not None else {})}
        async with self.session.request(method, self.url + path, data=body, headers=given) as response:
            return response.status, await response.read(), response.headers

    async def sync(self, number: int = 1, **other: Any) -> int:
        """Send a sync request of a pod and return the status."""
        status, _, _ = await self.post("/v1/sync", encode(sync_request(number, **other)), token(number))
        return status


@asynccontextmanager
async def serving(backend: SmallBackend | None = None, reviews: Reviews | None = None) -> AsyncIterator[Served]:
    """Serve without TLS."""
    backend, reviews = backend or SmallBackend(), reviews or Reviews()
    server = ControlServer(backend, reviews, ServerOptions(listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"))
    await server.start()
    limit = aiohttp.ClientTimeout(total=patient(25))
    try:
        async with aiohttp.ClientSession(timeout=limit, auto_decompress=False) as session:
            yield Served(backend, reviews, server, session)
    finally:
        await server.stop()
