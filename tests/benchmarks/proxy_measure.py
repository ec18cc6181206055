"""Rounds of load, contenders in turn, so that other load on the machine affects all of them equally."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.proxy_contenders import Contender, Running
from tests.benchmarks.proxy_load import run_open_loop, run_wrk

TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Sample:
    """One contender in one round: CPU in microseconds a request and resident KiB by process, the rest in total."""

    cpu: dict[str, float]
    resident: dict[str, int]
    requests_per_second: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Plan:
    """How long and how often: `seconds` of each load, `rate` requests/s in the open loop, `rounds` of everything."""

    rounds: int
    seconds: int
    rate: int


def tree(pid: int) -> Iterator[int]:
    """Yield a process and all its descendants."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """Return the user and system time that a process and its descendants have used, by their own accounting."""
    ticks = 0
    for process in tree(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS_A_SECOND


def resident_kib(pid: int) -> int:
    """Return the resident sets of a process and its descendants, in KiB."""
    total = 0
    for process in tree(pid):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def sample(running: Running, plan: Plan, script: Path) -> Sample:
    """Load one contender both ways."""
    before = {name: cpu_seconds(pid) for name, pid in running.processes.items()}
    requests = run_wrk(running.port, plan.seconds, script)
    cpu = {name: (cpu_seconds(pid) - before[name]) * 1e6 / requests for name, pid in running.processes.items()}
    latencies = run_open_loop(running.port, plan.rate, plan.seconds)
    return Sample(
        cpu=cpu,
        resident={name: resident_kib(pid) for name, pid in running.processes.items()},
        requests_per_second=requests / plan.seconds,
        p50=quantile(latencies, 0.5),
        p99=quantile(latencies, 0.99),
    )


def quantile(ordered: Sequence[float], q: float) -> float:
    """Return the q-quantile of sorted values."""
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


def measure(
    contenders: Sequence[tuple[Contender, Running]], plan: Plan, script: Path, tell: Callable[[str], None]
) -> dict[str, list[Sample]]:
    """Return each contender's samples, one a round; `tell` is given a line of progress before each."""
    samples: dict[str, list[Sample]] = {contender.name: [] for contender, _ in contenders}
    for number in range(plan.rounds):
        turn = number % len(contenders)  # who comes first changes from round to round
        for contender, running in (*contenders[turn:], *contenders[:turn]):
            tell(f"round {number + 1} of {plan.rounds}: {contender.name}")
            samples[contender.name].append(sample(running, plan, script))
    return samples
