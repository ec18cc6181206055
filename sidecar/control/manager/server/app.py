"""The HTTP server of the controller: composes its parts, and listens at two addresses.

The address for pods has TLS and serves everything. The address for probes and Prometheus has none, and serves metrics
and health only. Only tests leave TLS out at the first one.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from ....callers.authentication import AUDIENCE, Authenticator
from ....callers.rates import RateLimiter
from ....callers.reviews import Review
from ....certificates.source import CertificateSource
from ....serving.connections import ConnectionBounds
from ....serving.server import BoundedServer, ServerNames
from ....system.limits import raise_descriptor_limit
from ....telemetry.exposition import Exposition
from ....telemetry.fleet import FleetCollector, ServerReading
from .authorization import Authorizer
from .backend import Backend
from .label_desk import LabelDesk
from .limits import InFlight
from .tallies import Tallies
from .views import ControlViews, ViewParts

BOUNDS = ConnectionBounds(connections=8192, per_address=6144, idle_seconds=90.0)  # pods sync once a minute
REQUESTS_PER_SECOND, REQUESTS_AT_ONCE = 5.0, 60.0  # of one pod, or of one other caller
OFFERS_PER_SECOND, OFFERS_AT_ONCE = 0.1, 5.0  # of profiles, by one pod; to check one takes up to a second
MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_CALLER = 2048, 16  # pods that wait for labels are among them
SWEEP_SECONDS = 60.0
NAMES = ServerNames(
    address="the controller", option="--listen", logger="pilotfish.control", no_memory="memory ran out; send less"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Where the server listens.

    Attributes:
        listen: HOST:PORT for pods, senders of labels and Alertmanager.
        metrics_listen: HOST:PORT for probes and Prometheus, without TLS; empty to serve them only at `listen`.
        certificates: those of `listen`; None serves plain HTTP, which only tests should do.
    """

    listen: str
    metrics_listen: str = ""
    certificates: CertificateSource | None = None


class ControlServer:
    """Serves `backend` from `start` until `stop`."""

    def __init__(self, backend: Backend, review: Review, options: ServerOptions) -> None:
        clock = time.monotonic
        self._options = options
        self._certificates = options.certificates
        self._tallies = Tallies()
        self._desk = LabelDesk(clock)
        self._authenticator = Authenticator(review, AUDIENCE, clock=clock, now=time.time)
        self._authorizer = Authorizer(review, clock)
        parts = ViewParts(
            backend=backend,
            authenticator=self._authenticator,
            authorizer=self._authorizer,
            desk=self._desk,
            tallies=self._tallies,
            rates=RateLimiter(REQUESTS_PER_SECOND, REQUESTS_AT_ONCE, clock),
            offers=RateLimiter(OFFERS_PER_SECOND, OFFERS_AT_ONCE, clock),
            in_flight=InFlight(MAX_IN_FLIGHT, MAX_IN_FLIGHT_PER_CALLER),
            exposition=Exposition(FleetCollector(backend.reading, self._reading)),
            problems=self.problems,
        )
        views = ControlViews(parts)
        self._server = BoundedServer(views.build_response, names=NAMES, bounds=BOUNDS, tls=self._certificates)
        self._metrics = BoundedServer(views.build_open_response, names=NAMES)
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen; raise AddressError when an address cannot be bound."""
        raise_descriptor_limit()
        await self._server.start(self._options.listen)
        if self._options.metrics_listen:
            await self._metrics.start(self._options.metrics_listen)
        self._sweeping = asyncio.create_task(self._sweep())

    async def stop(self) -> None:
        """Stop listening and close the connections."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._server.stop()
        await self._metrics.stop()

    @property
    def port(self) -> int:
        """The port for pods."""
        return self._server.port

    @property
    def metrics_port(self) -> int:
        """The port for probes and Prometheus; 0 if there is none."""
        return self._metrics.port

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the server now, such as a certificate that cannot be used, or a missing right."""
        tls = self._certificates.problem if self._certificates is not None else ""
        return tuple(filter(None, (tls, self._authenticator.cache.problem, self._authorizer.cache.problem)))

    def _reading(self) -> ServerReading:
        tokens, access = self._authenticator.cache, self._authorizer.cache
        reviews = {("access", outcome): count for outcome, count in access.counts.items()}
        reviews |= {("token", outcome): count for outcome, count in tokens.counts.items()}
        return ServerReading(
            requests=dict(self._tallies.requests),
            labels=dict(self._tallies.labels),
            reviews=reviews,
            cached={"access": len(access), "token": len(tokens)},
            connections=self._server.connections,
            certificates=self._certificates.expiries() if self._certificates is not None else {},
        )

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            self._desk.drop_absent()
