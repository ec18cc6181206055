"""The command `pilotfish injector`: composes certificates, mirrors, publisher and server, and serves until a signal.

The only function that builds collaborators is the constructor of `InjectorServer`; tests call it with an API server of
their own.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import time

from ...certificates.choice import choose_certificates
from ...certificates.source import CertificateSource, kept_current
from ...kube.client import Kube
from ...kube.events import EventRecorder
from ...kube.objects import Resource
from ...kube.watch import WatchTiming
from ...serving.connections import ConnectionBounds
from ...serving.server import BoundedServer, ServerNames
from ...tasks import cancel_all, keep_running
from ...telemetry.exposition import Exposition
from ...telemetry.injector import InjectorCollector, InjectorReading
from .decide import Decider
from .mirrors import ClusterMirrors
from .options import InjectorOptions, add_injector_arguments, parse_options
from .publishing import BundlePublisher
from .reporting import Reporter
from .tallies import BUCKETS, InjectorTallies
from .template_file import TemplateFile
from .views import InjectorViews

CONTROLLER = "pilotfish.dev/injector"  # of Events
# API servers keep connections open, for 90 s without a request; to close one earlier could lose a review
BOUNDS = ConnectionBounds(connections=512, per_address=512, idle_seconds=300.0)
NAMES = ServerNames(
    address="the injector", option="--listen", logger="pilotfish.injector", no_memory="memory ran out; send less"
)
_LOG = logging.getLogger("pilotfish.injector")


class InjectorServer:
    """One replica. `run` serves until `stop` is set."""

    def __init__(
        self,
        kube: Kube,
        options: InjectorOptions,
        certificates: CertificateSource,
        timing: WatchTiming = WatchTiming(),  # noqa: B008  # frozen
    ) -> None:
        """Read the template; raise PilotfishError if it cannot be used."""
        self._kube = kube
        self._options = options
        self._certificates = certificates
        self._template = TemplateFile(options.template)
        self._draining = False
        self.tallies = InjectorTallies(time.monotonic)
        self.recorder = EventRecorder(kube, options.pod, controller=CONTROLLER)
        self.mirrors = ClusterMirrors(kube, timing=timing)
        self.publisher = BundlePublisher(
            kube=kube,
            certificates=certificates,
            mirrors=self.mirrors,
            tallies=self.tallies,
            webhook=options.webhook,
            release_namespace=options.namespace,
            timing=timing,
        )
        self.mirrors.changed = self.publisher.wake
        self.decider = Decider(
            mirrors=self.mirrors,
            template=self._template.current,
            release_namespace=options.namespace,
            resize_namespaces=options.resize_namespaces,
        )
        views = InjectorViews(
            decider=self.decider,
            reporter=Reporter(
                record=self.recorder.record,
                injected=self.publisher.add_namespace,
                tallies=self.tallies,
            ),
            fail_closed=options.fail_closed,
            tallies=self.tallies,
            exposition=Exposition(InjectorCollector(self.read)),
            not_ready=self.not_ready,
            problems=self.problems,
        )
        self._server = BoundedServer(views.build_response, names=NAMES, bounds=BOUNDS, tls=certificates)
        self._open_server = BoundedServer(views.build_open_response, names=NAMES)

    @property
    def port(self) -> int:
        """The port for the API server; 0 before there is a certificate."""
        return self._server.port

    @property
    def metrics_port(self) -> int:
        """The port for probes and Prometheus."""
        return self._open_server.port

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, and then for `drain_seconds` more."""
        work = {"mirroring": self.mirrors.run, "publishing": self.publisher.run, "Events": self.recorder.run}
        tasks = [asyncio.create_task(keep_running(what, run, stop)) for what, run in work.items()]
        try:
            await self._open_server.start(self._options.metrics_listen)
            if await self._certificates.start(stop):
                async with kept_current(self._certificates, stop):
                    await self._server.start(self._options.listen)
                    _LOG.info("process %d listens at %s", os.getpid(), self._options.listen)
                    self.publisher.wake()
                    await stop.wait()
                    self._draining = True
                    await asyncio.sleep(self._options.drain_seconds)
                await self.recorder.flush()
        finally:
            await cancel_all("the injector", tasks)
            await self._server.stop()
            await self._open_server.stop()

    def not_ready(self) -> tuple[str, ...]:
        """Return why the injector cannot decide yet; empty if it can."""
        missing = self.mirrors.missing()
        found = [f"not read yet: {', '.join(missing)}"] if missing else []
        if not self._server.port:
            found.append("there is no certificate yet")
        elif not self.publisher.began:
            found.append(f"caBundle of {self._options.webhook} is not written yet")
        return (*found, *(["it is being stopped"] if self._draining else []))

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong although the injector may serve."""
        stale = self.mirrors.stale()
        found = [f"no news lately of: {', '.join(stale)}"] if stale else []
        found += [self._certificates.problem, self._template.problem, *self.publisher.problems.values()]
        return tuple(filter(None, (*found, *self.mirrors.problems())))

    def read(self) -> InjectorReading:
        """Return the values of a scrape."""
        stores = self.mirrors.stores.items()
        return InjectorReading(
            ready=not self.not_ready(),
            reviews=dict(self.tallies.reviews),
            injections=dict(self.tallies.injections),
            sized=dict(self.tallies.sized),
            bounds=BUCKETS,
            times=tuple(self.tallies.times),
            seconds=self.tallies.seconds,
            objects={_name(kind): len(store.objects) for kind, store in stores},
            ages={_name(kind): store.age() for kind, store in stores},
            repairs=dict(self.tallies.repairs),
            outdated=self.publisher.outdated(),
            certificates=self._certificates.expiries(),
            api_errors=dict(self._kube.failures),
        )


def _name(kind: Resource) -> str:
    """Return the name of a kind, such as `deployments.apps`."""
    return f"{kind.plural}.{kind.group}".rstrip(".")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish injector`."""
    add_injector_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Serve reviews until SIGTERM or SIGINT; return 0."""
    return asyncio.run(_serve(parse_options(args)))


async def _serve(options: InjectorOptions) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kube = await Kube.connect(options.kubeconfig, options.context)
    try:
        certificates = choose_certificates(kube, options.namespace, options.service, options.tls, options.authorities)
        await InjectorServer(kube, options, certificates).run(stop)
    finally:
        await kube.close()
    return 0
