"""The command `pilotfish control`: composes connection, election, monitors and server, and serves until a signal.

The only function that builds collaborators is `build`; tests call it with an API server of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from ...callers.reviews import reviewer
from ...certificates.choice import choose_certificates
from ...certificates.source import CertificateSource, Kept, kept_current
from ...kube.client import Kube
from ...kube.election import LeaseTiming
from ...kube.events import EventRecorder
from ...kube.lease import Elector
from ...kube.objects import MODEL_MONITORS
from ...kube.patch import merge_patch
from ...settings.document import ModelMonitor, ProfileSource
from ...tasks import keep_running
from ..app import Lane
from ..cluster import cluster_lanes
from ..configmaps import ConfigMapStore
from ..download import download
from ..outbox import Step, ignore_step
from ..retrain.alerts import AlertBook
from ..retrain.objects import Owner
from ..retrain.watcher import ObjectWatcher
from ..webhook.addresses import Address, AddressRules
from .audit import Audit, standard_output
from .backend import ControllerBackend
from .bypass import find_pod, list_services
from .cleanup import StateCleaner, state_labels
from .injection import list_uninjected
from .key import MonitorKey
from .leadership import LeaderLabel
from .monitors import Mirrors, Monitors
from .options import ControllerOptions, add_control_arguments, parse_options
from .pools import PoolBook
from .profiles import MAX_PROFILE_BYTES, fetch_profile
from .resizing_limits import LimitsReader
from .scale_target import ScaleTargetReader
from .server.app import ControlServer, ServerOptions
from .signals.pod_metrics import PodMetricsReader, PodMetricsSource
from .signals.prometheus import PrometheusSource
from .status import merge_of
from .status_writer import FIELDS
from .switch import KillSwitch
from .target import find_target
from .world import Item, World

_LOG = logging.getLogger("pilotfish.control")


@dataclass
class Controller:
    """One replica: competes for the Lease, and runs the monitors while it leads.

    `write_audit` receives the audit lines. `api_addresses` are those of the API server, which no webhook may name.
    `step` is called where a crash has a visible result.
    """

    kube: Kube
    options: ControllerOptions
    write_audit: Callable[[str], None]
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    step: Step = ignore_step
    api_addresses: frozenset[Address] = frozenset()
    monitors: Monitors | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        options = self.options
        identity = f"{options.pod or socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        timing = lease_timing(options.lease_seconds)
        self.elector = Elector(self.kube, options.namespace, options.lease, identity, timing=timing)
        self.reviews = self.kube.unguarded()
        self.kube.guard = self.elector.check
        self.audit = Audit(identity, self.clock, self.write_audit)
        self.recorder = EventRecorder(self.kube, options.pod or identity)
        self.book = AlertBook()
        self.label = LeaderLabel(self.kube, options.namespace, options.pod)
        self.backend = ControllerBackend(
            leads=lambda: self.elector.leading,
            monitors=lambda: self.monitors,
            clock=self.clock,
            problems=lambda: (self.label.problem,) if self.label.problem else (),
            book=self.book,
            failures=lambda: dict(self.kube.failures),
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Compete and lead until `stop` is set; then store the last states, and release the Lease."""
        await self.elector.run(stop, self._lead, self._resign)

    def build_world(self, mirrors: Mirrors) -> World:
        """Return the surroundings of the monitors of one leadership."""
        kube, options = self.kube, self.options
        rules = AddressRules(options.webhook_hosts, forbidden=self.api_addresses)

        def lanes(monitor: ModelMonitor, key: MonitorKey) -> Mapping[str, Lane]:
            return cluster_lanes(monitor, Owner(key.namespace, key.name, key.uid), kube=kube, rules=rules)

        async def fetch_url(url: str) -> bytes:
            return await download(url, rules, most=MAX_PROFILE_BYTES)

        async def fetch(key: MonitorKey, source: ProfileSource) -> bytes:
            return await fetch_profile(kube, fetch_url, key, source)

        async def write_status(item: Item, status: Mapping[str, Any]) -> None:
            metadata = item["metadata"]
            body = {
                "metadata": {"resourceVersion": metadata["resourceVersion"]},
                "status": merge_of({name: status.get(name) for name in FIELDS}, item.get("status")),
            }
            await merge_patch(kube, MODEL_MONITORS, metadata["name"], body, metadata["namespace"], subresource="status")

        targets, metrics = ScaleTargetReader(kube, self.clock), PodMetricsReader(kube, self.clock)
        return World(
            clock=self.clock,
            monotonic=self.monotonic,
            contact_age=mirrors.age,
            check_leading=self.elector.check,
            pods=mirrors.index,
            find_target=partial(find_target, kube),
            read_target=targets.read,
            read_pod_metrics=metrics.read,
            read_limits=LimitsReader(kube, self.clock).read,
            list_uninjected=partial(list_uninjected, kube),
            list_services=partial(list_services, kube),
            find_pod=partial(find_pod, kube),
            fetch_profile=fetch,
            store=ConfigMapStore(kube, options.namespace, state_labels(options.lease)),
            lanes=lanes,
            watch=lambda key: ObjectWatcher(kube, key.namespace),
            alerts=lambda key, now: self.book.facts(key.namespace, key.name, now),
            write_status=write_status,
            record=self.recorder.record,
            audit=self.audit,
            kill_switch=KillSwitch(options.kill_switch),
            pools=PoolBook(options.pools),
            signal_sources=(PodMetricsSource(metrics, mirrors.index), PrometheusSource(options.prometheus)),
        )

    async def _lead(self) -> None:
        """Run the monitors; `_resign` ends them, since this task is cancelled before the last states are stored."""
        self.audit.record("leading", lease=f"{self.options.namespace}/{self.options.lease}")
        mirrors = Mirrors(self.kube, self.options.watched)
        cleaner = StateCleaner(self.kube, self.options.namespace, self.options.lease, enabled=not self.options.watched)
        monitors = Monitors(self.build_world(mirrors), mirrors, self.label, cleaner, step=self.step)
        self._stopping, self.monitors = asyncio.Event(), monitors
        self._running = asyncio.create_task(monitors.run(self._stopping))
        recording = asyncio.create_task(keep_running("Events", self.recorder.run))
        try:
            await asyncio.shield(self._running)
        finally:
            recording.cancel()

    async def _resign(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            if self.elector.leading:
                self._stopping.set()
            else:  # not both: `wait_for` drops a cancellation when the event is set at the same time
                running.cancel()
            await asyncio.wait((running,))
            if not running.cancelled() and isinstance(running.exception(), Exception):
                _LOG.error("the monitors did not end in order", exc_info=running.exception())
        self.monitors = None
        if self.elector.leading:
            await self.label.release()
            await self.recorder.flush()
        self.audit.record("resigned", lease=f"{self.options.namespace}/{self.options.lease}")


def lease_timing(seconds: float) -> LeaseTiming:
    """Return the times of the election for a Lease of `seconds`, in the proportions of client-go."""
    return LeaseTiming(
        duration=seconds, renew_deadline=seconds * 2 / 3, retry=seconds * 2 / 15, request=seconds * 4 / 15
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish control`."""
    add_control_arguments(parser)


async def addresses_of(url: str) -> frozenset[Address]:
    """Return the addresses of the host in `url`; none if its name does not resolve."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(urlsplit(url).hostname, None)
    except OSError as error:
        _LOG.warning("the addresses of the API server are unknown, so webhooks are not checked for them: %s", error)
        return frozenset()
    return frozenset(ip_address(address[4][0]) for address in found)


def run(args: argparse.Namespace) -> int:
    """Run the controller until SIGTERM or SIGINT; return 0."""
    return asyncio.run(_serve(parse_options(args)))


def issued(kube: Kube, options: ControllerOptions, certificates: CertificateSource) -> list[Kept]:
    """Return the certificates that this process signs for others; none if it is not the authority itself."""
    from ...certificates.authority import Authority
    from ...certificates.issued import IssuedCertificate

    if not isinstance(certificates, Authority):
        return []
    return [IssuedCertificate(kube.unguarded(), certificates, options.namespace, name) for name in options.issued]


async def _serve(options: ControllerOptions) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kube = await Kube.connect(options.kubeconfig, options.context)
    controller = Controller(kube, options, standard_output(), api_addresses=await addresses_of(kube.host))
    certificates = choose_certificates(kube, options.namespace, options.service, options.tls)
    listening = ServerOptions(listen=options.listen, metrics_listen=options.metrics_listen, certificates=certificates)
    server = ControlServer(controller.backend, reviewer(controller.reviews), listening)
    try:
        if await certificates.start(stop):
            async with kept_current(certificates, stop, *issued(kube, options, certificates)):
                await server.start()
                _LOG.info("process %d listens at %s", os.getpid(), options.listen)
                await controller.run(stop)
    finally:
        await server.stop()
        await kube.close()
    return 0
