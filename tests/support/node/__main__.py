"""Start a node, print its kubeconfig, and end it when interrupted: `python -m tests.support.node FOLDER`."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

from tests.support.node.images import PILOTFISH, REDIRECT, archive
from tests.support.node.node import run_node
from tests.support.node.programs import lacking


def main() -> None:
    """Run a node in the folder that the command line names."""
    if reason := lacking():
        raise SystemExit(f"no node: {reason}")
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True)
    began = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with run_node(folder) as node:
        print(f"ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
        if "--bare" not in sys.argv:
            node.load(archive(PILOTFISH), archive(REDIRECT))
            print(f"images after {time.monotonic() - began:.1f} s", file=sys.stderr)
        print(f"export KUBECONFIG={node.plane.kubeconfig} PATH={node.programs.plane}:$PATH", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
