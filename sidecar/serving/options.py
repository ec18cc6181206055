"""Addresses of a server in a cluster: one with TLS for its clients, and one for metrics and health."""

from __future__ import annotations

import argparse

LISTEN = ":8443"
METRICS_LISTEN = ":8080"  # kubelet and Prometheus connect to it


def add_listen_arguments(parser: argparse.ArgumentParser, clients: str) -> None:
    """Add --listen, for `clients`, and --metrics-listen."""
    parser.add_argument(
        "--listen",
        default=LISTEN,
        metavar="HOST:PORT",
        help=f"address for {clients}, with TLS; :PORT means all addresses (default %(default)s)",
    )
    parser.add_argument(
        "--metrics-listen", default=METRICS_LISTEN, metavar="HOST:PORT",
        help="address for metrics and health, without TLS; :PORT means all addresses (default %(default)s)",
    )  # fmt: skip
