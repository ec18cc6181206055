"""The listen/upstream pairs as options of a command. Light, since the supervisor of `pilotfish run` needs it, too."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..errors import UsageError
from ..system.addresses import Address, parse_address

CONNECTION_LIMIT = 10_000
DRAIN_SECONDS = 30


def add_pair_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the listen/upstream pairs and their limits, which `pilotfish run` has too."""
    for option, text in (
        ("--listen", "accept clients there"),
        ("--upstream", "relay them there, in the order of the --listen"),
    ):
        parser.add_argument(
            option,
            required=True,
            action="append",
            metavar="HOST:PORT|unix:/PATH",
            help=f"{text}; may be given several times",
        )
    parser.add_argument(
        "--drain-seconds", type=float, default=DRAIN_SECONDS, metavar="S",
        help="after SIGTERM, how long open connections may take to end (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--max-connections", type=int, default=CONNECTION_LIMIT, metavar="N",
        help="refuse clients beyond so many (default %(default)s, and what the limit of descriptors allows)",
    )  # fmt: skip


def parse_pairs(listens: Sequence[str], upstreams: Sequence[str]) -> list[tuple[Address, Address]]:
    """Return the listen/upstream pairs; raise UsageError when they do not pair up."""
    if len(listens) != len(upstreams):
        raise UsageError(
            f"{len(listens)} --listen but {len(upstreams)} --upstream: give one --upstream for each --listen"
        )
    return [
        (parse_endpoint(listen_at, "--listen"), parse_endpoint(upstream, "--upstream"))
        for listen_at, upstream in zip(listens, upstreams, strict=True)
    ]


def parse_endpoint(text: str, option: str) -> Address:
    """Return the address that a person gave for `option`, in any of the forms."""
    return parse_address(text, what=option, any_host=True, unix=True)
