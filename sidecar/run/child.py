"""The program of the analyzer process: sets up log and priority, and then loads the analyzer.

The supervisor starts it; it is not a command for users:

    python -m pilotfish.sidecar.run.child run|analyze --shared DIR --admin HOST:PORT ...

Only the standard library is imported first. numpy and aiohttp take a second to load, which must happen at the
low priority and with the log set up: the proxy keeps its CPU time, and a failure is logged like any other.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from ..errors import PilotfishError, UsageError, error_location
from ..log import set_up
from ..system.limits import data_limit, lower_priority
from .arguments import add_analyzer_arguments, add_control_arguments
from .restart_policy import RECYCLE, USAGE

_LOG = logging.getLogger("pilotfish.analyzer")

OOM_SCORE_ADJUST = 500  # when memory is short, the kernel kills this process before the proxy
LEAST_DATA_BYTES = 160 * 1024 * 1024  # below, the analyzer cannot start
NICENESS = 10  # otherwise a burst of records takes a CPU core from the proxy for a millisecond


def main(argv: Sequence[str]) -> int:
    """Run the analyzer process for the role `argv[0]`; return its exit status."""
    parser = argparse.ArgumentParser(prog="pilotfish analyzer-process", allow_abbrev=False)
    parser.add_argument("role", choices=("analyze", "run"))
    parser.add_argument("--shared", required=True, type=Path)
    parser.add_argument("--heartbeat", type=int, metavar="DESCRIPTOR")
    add_analyzer_arguments(parser)
    add_control_arguments(parser)
    args = parser.parse_args(argv)
    set_up(args.log_format, args.log_level)
    lower_priority(niceness=NICENESS, oom_score=OOM_SCORE_ADJUST, batch=True)
    try:
        return _serve(args)
    except MemoryError as error:
        _LOG.error("memory ran out at %s; restarting from the last checkpoint", error_location(error))
        return RECYCLE
    except UsageError as error:
        _LOG.error("%s", error)
        return USAGE
    except PilotfishError as error:
        _LOG.error("%s", error)
        return 1


def _serve(args: argparse.Namespace) -> int:
    limit = data_limit()
    if 0 < limit < LEAST_DATA_BYTES:  # numpy would fail in one of many ways
        raise UsageError(
            f"this process may use {limit >> 20} MiB of data (RLIMIT_DATA, set outside of Pilotfish); the analyzer "
            f"needs {LEAST_DATA_BYTES >> 20} MiB to start; raise the limit, for example with ulimit -d"
        )
    try:
        from .analyzer_process import serve
    except (ImportError, MemoryError) as error:
        what = f"{type(error).__name__}: {error}".rstrip(": ")
        raise UsageError(f"the analyzer cannot be loaded: {what}; install it again, or give it more memory") from error
    return serve(args)


def _end(status: int) -> NoReturn:
    """End the process at once: nothing after the last checkpoint may fail, start a thread or wait for one."""
    logging.shutdown()
    os._exit(status)


if __name__ == "__main__":
    _end(main(sys.argv[1:]))
