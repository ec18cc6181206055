"""The flags of the analyzer process, and what the supervisor does with flags: check them and pass them on.

The supervisor imports this module, so it uses the standard library only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from ..errors import UsageError, quote_value
from ..log import add_log_arguments
from ..system.addresses import ADMIN_ADDRESS, parse_address
from ..system.tokens import read_token

MEMORY_LIMIT = "512Mi"
LARGEST_LIMIT = 1 << 60  # bytes; more than any machine has, and less than RLIM_INFINITY
_HOST_NAME = re.compile(r"[\w-]{1,63}(\.[\w-]{1,63})*\.?", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,19})(Ki|Mi|Gi)?\Z")
_UNITS = {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def add_analyzer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the analyzer process, except `--shared`."""
    parser.add_argument("-f", "--file", type=Path, metavar="FILE", dest="document", help="the ModelMonitor document")
    parser.add_argument(
        "--admin",
        default=ADMIN_ADDRESS,
        metavar="HOST:PORT",
        help="address that serves metrics and the report (default %(default)s)",
    )
    parser.add_argument(
        "--admin-host", action="append", default=[], type=host_argument, metavar="NAME",
        help="a DNS name by which browsers and programs may call --admin; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder for evidence and the outbox (default: the --shared folder)"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the bearer token for --admin")
    parser.add_argument(
        "--memory-limit", type=memory_size, default=MEMORY_LIMIT, metavar="SIZE",
        help="memory limit of the analyzer, such as 512Mi; 0 sets no limit (default %(default)s)",
    )  # fmt: skip
    add_log_arguments(parser)


def memory_size(text: str) -> int:
    """Return the size `text` in bytes: a whole number, optionally with Ki, Mi or Gi."""
    match = _SIZE.match(text)
    size = int(match[1]) * _UNITS[match[2]] if match is not None else -1
    if not 0 <= size <= LARGEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a size; write 0, 536870912 or 512Mi")
    return size


def host_argument(text: str) -> str:
    """Return `text` if it is a host name without a port; raise ArgumentTypeError."""
    if not _HOST_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a host name; write one such as drift.example")
    return text


def check_analyzer_arguments(args: argparse.Namespace) -> None:
    """Raise UsageError for an address, token file or folder that the analyzer process could not use."""
    parse_address(args.admin, what="--admin")
    if args.token_file is not None:
        read_token(args.token_file)
    if args.state is not None:
        make_folder(args.state, "--state")


def render_flags(add_arguments: Callable[[argparse.ArgumentParser], None], args: argparse.Namespace) -> list[str]:
    """Return the command line with which the options that `add_arguments` declares get the values in `args`."""
    parser = argparse.ArgumentParser(add_help=False)
    add_arguments(parser)
    flags = []
    for action in parser._actions:  # noqa: SLF001  # argparse has no public list of the options
        flag, value = action.option_strings[-1], getattr(args, action.dest)
        values = value if isinstance(value, list) else [] if value is None else [value]
        flags += [f"{flag}={one}" for one in values]
    return flags


def make_folder(path: Path, flag: str) -> Path:
    """Return the folder `path`, created if it is missing; raise UsageError with the name of `flag`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{flag} {quote_value(path)} cannot be used: {error.strerror}; give a writable folder"
        ) from error
    return path
