"""The options of `pilotfish control`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError
from ...log import add_log_arguments
from ...serving.tls import TlsFiles
from ...system.files import read_file

ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
LEASE = "pilotfish-control"
LISTEN = "0.0.0.0:8443"  # pods of all nodes connect to it
METRICS_LISTEN = "0.0.0.0:8080"  # kubelet and Prometheus


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
    webhook_hosts: tuple[str, ...]
    kill_switch: Path | None


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
    add(
        "--kubeconfig", type=Path, metavar="FILE",
        help="kubeconfig file (default: the service account of the pod, else the usual kubeconfig)",
    )  # fmt: skip
    add("--context", default="", metavar="NAME", help="context of the kubeconfig (default: the current one)")
    add("--lease", default=LEASE, metavar="NAME", help="name of the Lease of the leader (default %(default)s)")
    add(
        "--lease-seconds", type=float, default=15.0, metavar="SECONDS",
        help="seconds after which another replica takes over from a leader that was killed (default %(default)g)",
    )  # fmt: skip
    add(
        "--pod-name", default="", metavar="NAME",
        help="name of the own pod, which gets the label pilotfish.dev/leader while it leads (default: no label)",
    )  # fmt: skip
    add("--listen", default=LISTEN, metavar="HOST:PORT", help="address for pods, with TLS (default %(default)s)")
    add(
        "--metrics-listen", default=METRICS_LISTEN, metavar="HOST:PORT",
        help="address for metrics and health, without TLS (default %(default)s)",
    )  # fmt: skip
    add("--tls-cert", type=Path, metavar="FILE", help="certificate of --listen, PEM; read again when it changes")
    add("--tls-key", type=Path, metavar="FILE", help="private key of --tls-cert, PEM")
    add(
        "--allow-webhook-host", action="append", default=[], metavar="HOST",
        help="a host that webhooks and URLs of profiles may name, such as hooks.example or *.example; may be repeated",
    )  # fmt: skip
    add(
        "--kill-switch", type=Path, metavar="FILE",
        help="while this file exists and does not say false, nothing is acted on; everything is still measured",
    )  # fmt: skip
    add_log_arguments(parser)


def parse_options(args: argparse.Namespace) -> ControllerOptions:
    """Return the options of the parsed command line; raise UsageError."""
    if (args.tls_cert is None) != (args.tls_key is None):
        raise UsageError("--tls-cert and --tls-key belong together: give both")
    if args.tls_cert is None:
        raise UsageError(
            "--tls-cert is missing: tokens of pods must not be sent in plain text; give --tls-cert and --tls-key"
        )
    if not 3.0 <= args.lease_seconds <= 600.0:
        raise UsageError(f"--lease-seconds is {args.lease_seconds:g}; give 3 to 600")
    return ControllerOptions(
        namespace=args.namespace or own_namespace(ACCOUNT_NAMESPACE),
        kubeconfig=args.kubeconfig,
        context=args.context,
        watched=args.watch_namespace,
        lease=args.lease,
        lease_seconds=args.lease_seconds,
        pod=args.pod_name,
        listen=args.listen,
        metrics_listen=args.metrics_listen,
        tls=TlsFiles(args.tls_cert, args.tls_key),
        webhook_hosts=tuple(args.allow_webhook_host),
        kill_switch=args.kill_switch,
    )


def own_namespace(path: Path) -> str:
    """Return the namespace of the service account from the file `path`; raise UsageError without one."""
    try:
        return read_file(path, 1024, follow=True).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--namespace is missing, and {path} cannot be read; give the namespace of the controller"
        ) from error
