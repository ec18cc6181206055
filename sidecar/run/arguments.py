"""The flags of `pilotfish run` and `pilotfish analyze` that concern the analyzer process. Standard library only."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..errors import UsageError, quote_value

MEMORY_LIMIT = "512Mi"
_SIZE = re.compile(r"(\d{1,12})(Ki|Mi|Gi)?\Z")
_UNITS = {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def add_analyzer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags that the analyzer process takes, whoever supervises it."""
    parser.add_argument("-f", "--file", type=Path, metavar="FILE", dest="document", help="the ModelMonitor document")
    parser.add_argument("--admin", required=True, metavar="HOST:PORT", help="serve metrics and the report there")
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="keep evidence and the outbox there (default: --shared)"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="a file with the bearer token for --admin")
    parser.add_argument(
        "--memory-limit", type=memory_size, default=MEMORY_LIMIT, metavar="SIZE",
        help="bytes of data that the analyzer may have, as 512Mi; 0 sets no limit (default %(default)s)",
    )  # fmt: skip


def memory_size(text: str) -> int:
    """Return the bytes that `text` says: a whole number, alone or with Ki, Mi or Gi."""
    match = _SIZE.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is no size: write 0, 536870912 or 512Mi")
    return int(match[1]) * _UNITS[match[2]]


def analyzer_flags(args: argparse.Namespace, shared: Path) -> list[str]:
    """Return the flags from which the analyzer process's process parses the same arguments again."""
    flags = ["--shared", str(shared), "--admin", args.admin, "--memory-limit", str(args.memory_limit)]
    for flag, path in (("--file", args.document), ("--state", args.state), ("--token-file", args.token_file)):
        flags += [flag, str(path)] if path is not None else []
    return flags


def make_folder(path: Path, flag: str) -> Path:
    """Return the folder at `path`, made if need be; raise UsageError naming `flag` when it cannot be one."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{flag} {quote_value(path)} cannot be used: {error.strerror}") from error
    return path
