"""Record the CPU and memory of groups of processes of this machine, by the readers of sidecar/resources.

    python -m tests.benchmarks.resizing.record FILE --seconds 2400

FILE gets one line for each group and sample: seconds since the start, group, cores, bytes (sum of resident sets). A
group is all processes whose command line matches, so it stands for a container whose processes come and go.
"""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pilotfish.sidecar.resources.kernel_files import kernel_text
from pilotfish.sidecar.resources.processes import PROC, TICK_NS, parse_stat

EVERY = 5.0  # seconds
GROUPS: Mapping[str, re.Pattern[str]] = {
    "compiler": re.compile(r"/(go-build|compile|link|asm) |\bmypy\b|basedpyright|\bruff\b"),
    "containerd": re.compile(r"/containerd(-shim-runc-v2)? "),
    "controller-manager": re.compile(r"/kube-controller-manager "),
    "etcd": re.compile(r"/etcd "),
    "kube-apiserver": re.compile(r"/kube-apiserver "),
    "kubelet": re.compile(r"/kubelet "),
    "metrics-server": re.compile(r"/metrics-server "),
    "monitored-service": re.compile(r"pilotfish\.sidecar\.run\.child|pilotfish\.sidecar\.cli (run|proxy)"),
    "scheduler": re.compile(r"/kube-scheduler "),
    "test-workers": re.compile(r"-m pytest|sys\.stdin\.readline"),
}


@dataclass(frozen=True, slots=True)
class OwnUse:
    """The CPU time of one process without its children, in seconds, and its resident set in bytes."""

    started: int
    cpu: float
    resident: int


def read_use(pid: int) -> OwnUse | None:
    """Return the use of a process; None if it has ended."""
    try:
        text = kernel_text(PROC / str(pid) / "stat")
    except OSError:
        return None
    stat, own = parse_stat(text), text.rpartition(")")[2].split()[11:13]  # utime and stime
    return OwnUse(stat.started, sum(map(int, own)) * TICK_NS / 1e9, stat.resident) if stat is not None else None


def group_of(pid: int) -> str | None:
    """Return the first group that the command line of a process matches; None without one."""
    try:
        command = (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return None
    return next((name for name, pattern in GROUPS.items() if pattern.search(command)), None)


def main() -> None:
    """Record until the time is over."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.resizing.record")
    parser.add_argument("file", type=Path)
    parser.add_argument("--seconds", type=float, default=2400.0)
    arguments = parser.parse_args()
    known: dict[tuple[int, int], str | None] = {}
    before: dict[int, OwnUse] = {}
    began = last = time.monotonic()
    with arguments.file.open("w") as file:
        file.write("seconds,group,cores,bytes\n")
        while last - began < arguments.seconds:
            time.sleep(EVERY)
            now = time.monotonic()
            uses = {int(name): use for name in os.listdir(PROC) if name.isdecimal() and (use := read_use(int(name)))}
            cpu: dict[str, float] = defaultdict(float)
            memory: dict[str, int] = defaultdict(int)
            for pid, use in uses.items():
                key = pid, use.started
                name = known[key] if key in known else known.setdefault(key, group_of(pid))
                if name is not None:
                    former = before.get(pid)
                    cpu[name] += use.cpu - (former.cpu if former is not None and former.started == use.started else 0.0)
                    memory[name] += use.resident
            for name, amount in memory.items() if before else ():
                file.write(f"{now - began:.1f},{name},{cpu[name] / (now - last):.4f},{amount}\n")
            file.flush()
            before, last = uses, now


if __name__ == "__main__":
    main()
