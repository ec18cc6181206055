"""The command `pilotfish node`: composes the sources and the server, and serves until a signal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from ..callers.reviews import reviewer
from ..certificates.choice import choose_certificates
from ..certificates.source import CertificateSource, kept_current
from ..errors import UsageError
from ..kube.client import Kube
from ..kube.configuration import add_kubeconfig_arguments
from ..log import add_log_arguments
from ..resources.gpu.sampler import GpuSampler
from ..resources.processes import PROC
from ..serving.options import LISTEN, METRICS_LISTEN, add_listen_arguments
from ..serving.tls import TlsFiles
from ..tasks import pause
from .cgroup_tree import CgroupTree
from .figures import NodeFigures
from .server import NodeAddresses, NodeServer

_LOG = logging.getLogger("pilotfish.node")

CGROUPS = Path("/sys/fs/cgroup")
POD_RESOURCES = Path("/var/lib/kubelet/pod-resources/kubelet.sock")
CERTIFICATE_SECONDS = 5.0  # between two looks for a certificate that is not there yet


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """The options; the help texts of the command describe them."""

    name: str
    tls: TlsFiles
    listen: str = LISTEN
    metrics_listen: str = METRICS_LISTEN
    pod_resources: Path = POD_RESOURCES
    cgroups: Path = CGROUPS
    proc: Path = PROC
    kubeconfig: Path | None = None
    context: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish node`."""
    add = parser.add_argument
    add(
        "--node-name", default="", metavar="NAME",
        help="name of the node in Kubernetes, as the field spec.nodeName of the pod has it (default: the host name)",
    )  # fmt: skip
    add(
        "--pod-resources", type=Path, default=POD_RESOURCES, metavar="SOCKET",
        help="the kubelet's socket for pod resources (default %(default)s)",
    )  # fmt: skip
    add(
        "--cgroup", type=Path, default=CGROUPS, metavar="DIR",
        help="folder at which /sys/fs/cgroup of the node is mounted (default %(default)s)",
    )  # fmt: skip
    add(
        "--proc", type=Path, default=PROC, metavar="DIR",
        help="the /proc of the node's PID namespace (default %(default)s)",
    )  # fmt: skip
    add_listen_arguments(parser, "pods")
    add(
        "--tls-cert", type=Path, required=True, metavar="FILE",
        help="certificate of --listen, PEM; waited for, and read again when it changes",
    )  # fmt: skip
    add("--tls-key", type=Path, required=True, metavar="FILE", help="private key of --tls-cert, PEM")
    add_kubeconfig_arguments(parser)
    add_log_arguments(parser)


def parse_options(args: argparse.Namespace) -> NodeOptions:
    """Return the options of the parsed command line."""
    return NodeOptions(
        name=args.node_name or socket.gethostname(),
        tls=TlsFiles(args.tls_cert, args.tls_key),
        listen=args.listen,
        metrics_listen=args.metrics_listen,
        pod_resources=args.pod_resources,
        cgroups=args.cgroup,
        proc=args.proc,
        kubeconfig=args.kubeconfig,
        context=args.context,
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT; return 0."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its lines have another format; what fails is logged here
    try:
        import grpc  # noqa: F401
    except ImportError as error:
        raise UsageError(
            "the kubelet cannot be asked: the package 'grpcio' is missing; install Pilotfish with the extras 'cluster' "
            "and 'node': pip install 'pilotfish[cluster,node]'"
        ) from error
    return asyncio.run(_serve(parse_options(args)))


async def _serve(options: NodeOptions) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    kube = await Kube.connect(options.kubeconfig, options.context)
    try:
        await serve(kube, options, stop)
    finally:
        await kube.close()
    return 0


async def serve(kube: Kube, options: NodeOptions, stop: asyncio.Event, gpu: GpuSampler | None = None) -> None:
    """Serve until `stop` is set."""
    from .kubelet import KubeletSource
    from .slices import SliceSource

    kubelet = KubeletSource(options.pod_resources)
    figures = NodeFigures(
        options.name,
        gpu or GpuSampler(),
        kubelet,
        SliceSource(kube, options.name),
        CgroupTree(options.cgroups),
        options.proc,
    )
    following = asyncio.create_task(figures.run(stop))
    certificates = await _certificates(kube, options, stop)
    if certificates is None:
        await following
        return
    addresses = NodeAddresses(listen=options.listen, metrics_listen=options.metrics_listen, certificates=certificates)
    server = NodeServer(figures, kubelet, reviewer(kube), addresses)
    try:
        async with kept_current(certificates, stop):
            await server.start_open()
            await server.start()
            _LOG.info("process %d listens at %s for the pods of the node %s", os.getpid(), options.listen, options.name)
            await stop.wait()
    finally:
        stop.set()
        await server.stop()
        await following


async def _certificates(kube: Kube, options: NodeOptions, stop: asyncio.Event) -> CertificateSource | None:
    """Return the certificates as soon as their files can be used; None if `stop` is set before."""
    logged = ""
    while not stop.is_set():
        try:
            return choose_certificates(kube, "", "", options.tls)
        except UsageError as error:
            if str(error) != logged:
                _LOG.warning("waiting for a certificate: %s", error)
            logged = str(error)
            await pause(stop, CERTIFICATE_SECONDS)
    return None
