"""A supervisor of two sh scripts, for tests: `python supervised.py PROXY_SCRIPT ANALYZER_SCRIPT [PAGE SILENCE]`.

With SILENCE, the analyzer hangs after so many seconds without a byte on descriptor 3, and the proxy without a change of
the heartbeat in PAGE.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pilotfish.sidecar.run.restart_policy import ANALYZER, PROXY
from pilotfish.sidecar.run.supervisor import supervise
from pilotfish.sidecar.run.vital_signs import PageHeartbeat, WatchedChild
from pilotfish.sidecar.run.watchdog import SilenceLimits, Watchdog

if __name__ == "__main__":
    proxy, analyzer, *watching = sys.argv[1:]
    argv = {PROXY: ["/bin/sh", "-c", proxy], ANALYZER: ["/bin/sh", "-c", analyzer]}
    if not watching:
        sys.exit(supervise("run", argv))
    silence = float(watching[1])
    limits = SilenceLimits(running=silence, start=2 * silence, check=silence / 5)
    watched = WatchedChild(
        PageHeartbeat(Path(watching[0])).beaten, Watchdog(SilenceLimits(running=silence, start=None, check=silence / 5))
    )
    sys.exit(supervise("run", argv, watched, limits))
