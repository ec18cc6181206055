"""A supervisor of two sh scripts, for tests: `python supervised.py PROXY_SCRIPT ANALYZER_SCRIPT`."""

from __future__ import annotations

import sys

from pilotfish.sidecar.run.restart_policy import ANALYZER, PROXY
from pilotfish.sidecar.run.supervisor import supervise

if __name__ == "__main__":
    proxy, analyzer = sys.argv[1:]
    sys.exit(supervise("run", {PROXY: ["/bin/sh", "-c", proxy], ANALYZER: ["/bin/sh", "-c", analyzer]}))
