"""The options of `pilotfish injector`."""

from __future__ import annotations

import argparse
import socket
from dataclasses import dataclass
from pathlib import Path

from ...certificates.choice import add_certificate_arguments, parse_tls_files
from ...errors import UsageError
from ...kube.configuration import add_kubeconfig_arguments, own_namespace
from ...log import add_log_arguments
from ...serving.options import LISTEN, METRICS_LISTEN, add_listen_arguments
from ...serving.tls import TlsFiles

NAME = "pilotfish-injector"  # of the Service and of the MutatingWebhookConfiguration


@dataclass(frozen=True, slots=True, kw_only=True)
class InjectorOptions:
    """The options; the help texts of the command describe them."""

    template: Path
    namespace: str
    kubeconfig: Path | None = None
    context: str = ""
    listen: str = LISTEN
    metrics_listen: str = METRICS_LISTEN
    tls: TlsFiles | None = None
    authorities: Path | None = None
    service: str = NAME
    webhook: str = NAME
    fail_closed: bool = False
    pod: str = ""
    drain_seconds: float = 5.0
    resize_namespaces: frozenset[str] = frozenset()


def add_injector_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish injector`."""
    add = parser.add_argument
    add(
        "--template", type=Path, metavar="FILE", required=True,
        help="template of the sidecars, sidecar.yaml of the chart; read again when it changes",
    )  # fmt: skip
    add(
        "--namespace", default="", metavar="NAME",
        help="namespace of the release, which is never injected (default: that of the service account)",
    )  # fmt: skip
    add_kubeconfig_arguments(parser)
    add_listen_arguments(parser, "the API server")
    add_certificate_arguments(parser, NAME)
    add(
        "--tls-ca", type=Path, metavar="FILE",
        help="certificates that clients must trust, PEM, beside --tls-cert: they are written into caBundle and into "
        "the ConfigMaps pilotfish-ca (default: neither is written)",
    )  # fmt: skip
    add(
        "--webhook", default=NAME, metavar="NAME",
        help="MutatingWebhookConfiguration whose caBundle is kept; empty for none (default %(default)s)",
    )  # fmt: skip
    add(
        "--resize-namespace", action="append", default=[], metavar="NAME",
        help="namespace whose new pods get the resources that their monitor recommends; repeatable (default: none)",
    )  # fmt: skip
    add(
        "--fail-closed",
        action="store_true",
        help="refuse a pod when the injector fails, instead of admitting it as it is",
    )
    add("--pod-name", default="", metavar="NAME", help="name of this pod, for Events (default: the name of the host)")
    add(
        "--drain-seconds", type=float, default=5.0, metavar="SECONDS",
        help="how long it serves after SIGTERM, while the API server still sends reviews (default %(default)g)",
    )  # fmt: skip
    add_log_arguments(parser)


def parse_options(args: argparse.Namespace) -> InjectorOptions:
    """Return the options of the parsed command line; raise UsageError."""
    tls = parse_tls_files(args)
    if args.tls_ca is not None and tls is None:
        raise UsageError("--tls-ca needs --tls-cert and --tls-key: give them, or leave --tls-ca out")
    if not 0 <= args.drain_seconds <= 60:
        raise UsageError(f"--drain-seconds is {args.drain_seconds:g}; give 0 to 60")
    return InjectorOptions(
        template=args.template,
        namespace=args.namespace or own_namespace(),
        kubeconfig=args.kubeconfig,
        context=args.context,
        listen=args.listen,
        metrics_listen=args.metrics_listen,
        tls=tls,
        authorities=args.tls_ca,
        service=args.service,
        webhook=args.webhook,
        fail_closed=args.fail_closed,
        pod=args.pod_name or socket.gethostname(),
        drain_seconds=args.drain_seconds,
        resize_namespaces=frozenset(args.resize_namespace),
    )
