"""What a test must not change for good in the process that runs it, because the tests after it depend on it."""

from __future__ import annotations

import os
import resource
import signal
from pathlib import Path

_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_CORE, resource.RLIMIT_DATA, resource.RLIMIT_FSIZE, resource.RLIMIT_STACK)
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
_OF_PYTEST = "PYTEST_CURRENT_TEST"


def process_settings() -> dict[str, object]:
    """Return the priority, limits, folder, signal handlers and environment of this process, by name."""
    umask = os.umask(0o077)
    os.umask(umask)
    return {
        "niceness": os.nice(0),
        "scheduling policy": os.sched_getscheduler(0),
        "oom_score_adj": int(Path("/proc/self/oom_score_adj").read_text()),
        "limits": [resource.getrlimit(limit) for limit in _LIMITS],
        "folder": os.getcwd(),
        "umask": umask,
        "signal handlers": [signal.getsignal(number) for number in _SIGNALS],
    } | {f"variable {name}": value for name, value in os.environ.items() if name != _OF_PYTEST}


def changed(before: dict[str, object], after: dict[str, object]) -> str:
    """Return which settings differ, and how; empty if none does."""
    different = sorted(name for name in before | after if before.get(name) != after.get(name))
    return "; ".join(f"{name}: {before.get(name)} became {after.get(name)}" for name in different)
