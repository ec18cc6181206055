"""The options of `pilotfish control`."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ...certificates.choice import add_certificate_arguments, parse_tls_files
from ...errors import UsageError
from ...kube.configuration import add_kubeconfig_arguments, own_namespace
from ...log import add_log_arguments
from ...serving.options import add_listen_arguments
from ...serving.tls import TlsFiles
from .pools import PoolName, parse_pools
from .signals.endpoint import PrometheusEndpoint, add_prometheus_arguments, parse_endpoint

LEASE = SERVICE = "pilotfish-control"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerOptions:
    """The options; the help texts of the command describe them."""

    namespace: str
    kubeconfig: Path | None
    context: str
    watched: str
    lease: str
    lease_seconds: float
    pod: str
    listen: str
    metrics_listen: str
    tls: TlsFiles | None
    service: str
    webhook_hosts: tuple[str, ...]
    kill_switch: Path | None
    prometheus: PrometheusEndpoint | None = None
    issued: tuple[str, ...] = ()
    pools: Mapping[PoolName, float] = field(default_factory=dict)


def add_control_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish control`."""
    add = parser.add_argument
    add(
        "--namespace", default="", metavar="NAME",
        help="namespace of the controller, with its Lease and states (default: that of the service account)",
    )  # fmt: skip
    add(
        "--watch-namespace", default="", metavar="NAME",
        help="watch the ModelMonitors of this namespace only (default: all namespaces)",
    )  # fmt: skip
    add_kubeconfig_arguments(parser)
    add("--lease", default=LEASE, metavar="NAME", help="name of the Lease of the leader (default %(default)s)")
    add(
        "--lease-seconds", type=float, default=15.0, metavar="SECONDS",
        help="seconds after which another replica takes over from a leader that was killed (default %(default)g)",
    )  # fmt: skip
    add(
        "--pod-name", default="", metavar="NAME",
        help="name of this pod, which gets the label pilotfish.dev/leader while it leads (default: no label)",
    )  # fmt: skip
    add_listen_arguments(parser, "pods")
    add_certificate_arguments(parser, SERVICE)
    add(
        "--allow-webhook-host", action="append", default=[], metavar="HOST",
        help="a host that webhooks and URLs of profiles may name, such as hooks.example or *.example; may be repeated",
    )  # fmt: skip
    add(
        "--kill-switch", type=Path, metavar="FILE",
        help="while this file exists and does not contain false, the controller changes nothing; it still measures",
    )  # fmt: skip
    add(
        "--pool", action="append", default=[], metavar="NAMESPACE/NAME=CPU",
        help="a pool: CPU cores that monitors of this namespace share, such as ml/shared=4; may be repeated",
    )  # fmt: skip
    add(
        "--issue-certificate", action="append", default=[], metavar="SERVICE",
        help="a Service of the release whose certificate is kept in the Secret SERVICE-tls, so that its process needs "
        "no right to the authority; may be repeated; without --tls-cert",
    )  # fmt: skip
    add_prometheus_arguments(parser)
    add_log_arguments(parser)


def parse_options(args: argparse.Namespace) -> ControllerOptions:
    """Return the options of the parsed command line; raise UsageError."""
    if not 3.0 <= args.lease_seconds <= 600.0:
        raise UsageError(f"--lease-seconds is {args.lease_seconds:g}; give 3 to 600")
    return ControllerOptions(
        namespace=args.namespace or own_namespace(),
        kubeconfig=args.kubeconfig,
        context=args.context,
        watched=args.watch_namespace,
        lease=args.lease,
        lease_seconds=args.lease_seconds,
        pod=args.pod_name,
        listen=args.listen,
        metrics_listen=args.metrics_listen,
        tls=parse_tls_files(args),
        service=args.service,
        webhook_hosts=tuple(args.allow_webhook_host),
        kill_switch=args.kill_switch,
        issued=tuple(args.issue_certificate),
        prometheus=parse_endpoint(args),
        pools=parse_pools(args.pool),
    )
