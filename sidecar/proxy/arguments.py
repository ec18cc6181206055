"""The options of the listen/upstream pairs, for `pilotfish proxy` and `pilotfish run`.

Keep the imports light: the supervisor of `pilotfish run` imports this module.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..errors import UsageError, quote_value
from ..system.addresses import Address, parse_address

CONNECTION_LIMIT = 10_000
CONNECT_WAIT_SECONDS = 5
DRAIN_SECONDS = 20  # within the grace period of Kubernetes, 30 s, with time left for the last checkpoint
_LONGEST_SECONDS = 1e6
_EXAMPLES = {"--health": "127.0.0.1:8081", "--listen": "127.0.0.1:8080", "--upstream": "127.0.0.1:8000"}
_ALL_HOSTS = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound to
_OWN_HOSTS = (*_ALL_HOSTS, "127.0.0.1", "::1", "localhost")


def add_pair_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the listen/upstream pairs and their limits."""
    for option, text in (
        ("--listen", "address that accepts clients"),
        ("--upstream", "address of the model server, in the order of the --listen options"),
    ):
        parser.add_argument(
            option,
            required=True,
            action="append",
            metavar="HOST:PORT|unix:/PATH",
            help=f"{text}; can be repeated",
        )
    parser.add_argument(
        "--connect-wait-seconds", type=_seconds, default=CONNECT_WAIT_SECONDS, metavar="S",
        help="seconds that a client waits for a model server that has not started yet (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--drain-seconds", type=_seconds, default=DRAIN_SECONDS, metavar="S",
        help="seconds that open connections may take to end after SIGTERM (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--max-connections", type=_count, default=CONNECTION_LIMIT, metavar="N",
        help="refuse clients beyond this number (default %(default)s, or fewer if the descriptor limit requires it)",
    )  # fmt: skip


def parse_pairs(listens: Sequence[str], upstreams: Sequence[str]) -> list[tuple[Address, Address]]:
    """Return the listen/upstream pairs. Raise UsageError if their numbers differ or the proxy would call itself."""
    if len(listens) != len(upstreams):
        raise UsageError(
            f"there are {len(listens)} --listen but {len(upstreams)} --upstream; give one --upstream for each --listen"
        )
    own = [parse_endpoint(listen_at, "--listen") for listen_at in listens]
    models = [parse_endpoint(upstream, "--upstream") for upstream in upstreams]
    for model in models:
        for listener in own:
            if _accepts(listener, model):
                raise UsageError(
                    f"cannot use --upstream {model}: the proxy itself listens there (--listen {listener}); "
                    "give the address of the model server"
                )
    return list(zip(own, models, strict=True))


def parse_endpoint(text: str, option: str) -> Address:
    """Return the address in the value of `option`: HOST:PORT, :PORT or unix:/PATH."""
    any_host = "this machine" if option == "--upstream" else "all addresses"
    return parse_address(text, what=option, any_host=any_host, unix=True, example=_EXAMPLES[option])


def _accepts(listener: Address, target: Address) -> bool:
    """Return whether a connection to `target` certainly reaches `listener`. Names are not resolved."""
    if listener.path or target.path:
        return listener.path == target.path
    is_same_host = listener.host == target.host or (listener.host in _ALL_HOSTS and target.host in _OWN_HOSTS)
    return is_same_host and listener.port == target.port != 0


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < _LONGEST_SECONDS:  # also refuses NaN
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a number of seconds; write 0 or more, such as 20")
    return seconds


def _count(text: str) -> int:
    try:
        count = int(text)
    except ValueError:
        count = 0
    if count < 1:
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a number of connections; write 1 or more")
    return count
