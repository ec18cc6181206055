"""The command `pilotfish run`: supervises the proxy and the analyzer process for one model."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..channel import PAGE_FILE
from ..errors import UsageError
from ..log import add_log_arguments
from ..proxy.arguments import add_pair_arguments, parse_pairs
from .arguments import add_analyzer_arguments, check_analyzer_arguments, make_folder, render_flags
from .restart_policy import ANALYZER, PROXY
from .supervisor import supervise
from .vital_signs import HEARTBEAT_DESCRIPTOR, watched_proxy

MODULE = (sys.executable, "-P", "-m")  # -P: never import modules from the working directory
MEMORY_FOLDERS = (Path("/dev/shm"),)  # noqa: S108  # mkdtemp creates a folder with mode 0700 in it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish run`."""
    add_pair_arguments(parser)
    parser.add_argument(
        "--shared", type=Path, metavar="DIR", help="folder for counters and socket (default: a new temporary one)"
    )
    add_analyzer_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Supervise proxy and analyzer process until the proxy ends; return the proxy's exit status."""
    parse_pairs(args.listen, args.upstream)
    check_analyzer_arguments(args)
    with _shared_folder(args.shared) as shared:
        commands = {PROXY: proxy_command(args, shared), ANALYZER: analyzer_command("run", args, shared)}
        return supervise("run", commands, watched_proxy(shared / PAGE_FILE))


def analyzer_command(role: str, args: argparse.Namespace, shared: Path) -> list[str]:
    """Return the command line of the analyzer process."""
    flags = render_flags(add_analyzer_arguments, args)
    own = ["--shared", str(shared), f"--heartbeat={HEARTBEAT_DESCRIPTOR}"]
    if not args.model_address:
        own += [f"--model-address={upstream}" for upstream in getattr(args, "upstream", ())]
    return [*MODULE, "pilotfish.sidecar.run.child", role, *own, *flags]


def proxy_command(args: argparse.Namespace, shared: Path) -> list[str]:
    """Return the command line of the proxy."""
    flags = [*render_flags(add_pair_arguments, args), *render_flags(add_log_arguments, args)]
    return [*MODULE, "pilotfish.sidecar.cli", "proxy", "--shared", str(shared), *flags]


@contextmanager
def _shared_folder(given: Path | None) -> Iterator[Path]:
    """Yield the folder `given`; without one, a new folder in memory, which is removed at the end."""
    if given is not None:
        yield make_folder(given, "--shared")
        return
    parent = next((folder for folder in MEMORY_FOLDERS if os.access(folder, os.W_OK | os.X_OK)), None)
    try:
        fresh = Path(tempfile.mkdtemp(prefix="pilotfish-", dir=parent))
    except OSError as error:
        raise UsageError(
            "cannot make a folder for --shared: neither /dev/shm nor a temporary folder is writable "
            f"({error.strerror}); give --shared DIR on a writable volume, in memory if possible"
        ) from error
    try:
        yield fresh
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
