"""A supervisor around two small programs, for tests: `python supervised.py PROXY_SCRIPT MEMBER_SCRIPT` (sh scripts)."""

from __future__ import annotations

import sys

from pilotfish.sidecar.run.restart_policy import ANALYZER, PROXY
from pilotfish.sidecar.run.supervisor import supervise

if __name__ == "__main__":
    proxy, member = sys.argv[1:]
    sys.exit(supervise("run", {PROXY: ["/bin/sh", "-c", proxy], ANALYZER: ["/bin/sh", "-c", member]}))
