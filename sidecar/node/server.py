"""The HTTP server of the node's Pilotfish: composes its parts, and listens at two addresses."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..callers.authentication import Authenticator
from ..callers.rates import RateLimiter
from ..callers.reviews import Review
from ..certificates.source import CertificateSource
from ..resources.pod.figures import AUDIENCE
from ..serving.connections import ConnectionBounds
from ..serving.server import BoundedServer, ServerNames
from ..telemetry.exposition import Exposition
from ..telemetry.node import NodeCollector, NodeScrape
from .allocations import count_devices
from .figures import NodeFigures
from .kubelet import KubeletSource
from .views import NodeViews

BOUNDS = ConnectionBounds(connections=512, per_address=16, idle_seconds=90.0)  # a pod keeps one connection
REQUESTS_PER_SECOND, REQUESTS_AT_ONCE = 2.0, 10.0  # of one pod
NAMES = ServerNames(
    address="the node's Pilotfish", option="--listen", logger="pilotfish.node", no_memory="memory ran out; try later"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAddresses:
    """HOST:PORT for pods, and for probes and Prometheus; without `certificates`, only tests should serve."""

    listen: str
    metrics_listen: str = ""
    certificates: CertificateSource | None = None


class NodeServer:
    """Serves `figures` from `start` until `stop`."""

    def __init__(self, figures: NodeFigures, kubelet: KubeletSource, review: Review, addresses: NodeAddresses) -> None:
        self._figures = figures
        self._kubelet = kubelet
        self._addresses = addresses
        self._authenticator = Authenticator(review, AUDIENCE, clock=time.monotonic, now=time.time)
        self.views = NodeViews(
            figures=figures,
            authenticator=self._authenticator,
            rates=RateLimiter(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE, time.monotonic),
            exposition=Exposition(NodeCollector(self._reading)),
            problems=self.problems,
        )
        self._server = BoundedServer(self.views.build_response, names=NAMES, bounds=BOUNDS, tls=addresses.certificates)
        self._open_server = BoundedServer(self.views.build_open_response, names=NAMES)

    async def start_open(self) -> None:
        """Listen for probes and Prometheus; raise AddressError when the address cannot be bound."""
        if self._addresses.metrics_listen:
            await self._open_server.start(self._addresses.metrics_listen)

    async def start(self) -> None:
        """Listen for pods; raise AddressError when the address cannot be bound."""
        await self._server.start(self._addresses.listen)

    async def stop(self) -> None:
        """Stop listening and close the connections."""
        await self._server.stop()
        await self._open_server.stop()

    @property
    def port(self) -> int:
        """The port for pods; 0 before `start`."""
        return self._server.port

    @property
    def metrics_port(self) -> int:
        """The port for probes and Prometheus."""
        return self._open_server.port

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the server, such as a certificate that cannot be used, or a missing right."""
        certificates = self._addresses.certificates
        tls = certificates.problem if certificates is not None else ""
        return tuple(filter(None, (tls, self._authenticator.cache.problem)))

    def _reading(self) -> NodeScrape:
        certificates = self._addresses.certificates
        return NodeScrape(
            pods=self._figures.pods,
            callers=len(self._figures.counters.entries),
            requests=dict(self.views.requests),
            kubelet=dict(self._kubelet.counts),
            devices=count_devices(self._kubelet.allocations),
            gpus=len(self._figures.gpu.latest.devices),
            problems=tuple(one.reason.value for one in self._figures.problems()),
            certificates=certificates.expiries() if certificates is not None else {},
        )
