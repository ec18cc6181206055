"""The flags of the analyzer process, shared by `pilotfish run` and `pilotfish analyze`.

The supervisor imports this module, so it uses the standard library only. `analyzer_flags` must cover each flag.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from ..errors import UsageError, quote_value

MEMORY_LIMIT = "512Mi"
_SIZE = re.compile(r"(\d{1,12})(Ki|Mi|Gi)?\Z")
_UNITS = {None: 1, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def add_analyzer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the analyzer process."""
    parser.add_argument("-f", "--file", type=Path, metavar="FILE", dest="document", help="the ModelMonitor document")
    parser.add_argument(
        "--admin", required=True, metavar="HOST:PORT", help="address that serves metrics and the report"
    )
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help="folder for evidence and the outbox (default: the --shared folder)"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the bearer token for --admin")
    parser.add_argument(
        "--memory-limit", type=memory_size, default=MEMORY_LIMIT, metavar="SIZE",
        help="memory limit of the analyzer, such as 512Mi; 0 sets no limit (default %(default)s)",
    )  # fmt: skip


def memory_size(text: str) -> int:
    """Return the size `text` in bytes: a whole number, optionally with Ki, Mi or Gi."""
    match = _SIZE.match(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{quote_value(text)} is not a size; write 0, 536870912 or 512Mi")
    return int(match[1]) * _UNITS[match[2]]


def analyzer_flags(args: argparse.Namespace, shared: Path) -> list[str]:
    """Return the flags that make the analyzer process parse the same arguments."""
    flags = ["--shared", str(shared), "--admin", args.admin, "--memory-limit", str(args.memory_limit)]
    for flag, path in (("--file", args.document), ("--state", args.state), ("--token-file", args.token_file)):
        flags += [flag, str(path)] if path is not None else []
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
