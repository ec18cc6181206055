"""The latency of a neighbour while others attack the proxy, as a section of docs/benchmarks.md."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import monotonic

from pilotfish.sidecar.channel.page import read_page
from tests.benchmarks import proxy_attacks
from tests.benchmarks.proxy_attacks import CONNECTIONS, PATTERNS, QUIET
from tests.benchmarks.proxy_contenders import PILOTFISH, start_upstream, started
from tests.benchmarks.proxy_load import run_open_loop
from tests.benchmarks.proxy_measure import cpu_seconds, quantile
from tests.support.ports import free_port

RATE = 300  # requests/s of the neighbour
WARM_SECONDS = 0.3
HEADER = "| the others send | p50 µs | p99 µs | p50 / p99, x quiet | proxy CPU, cores | became opaque |"


@dataclass(frozen=True, slots=True)
class Sample:
    """Latencies of the neighbour in microseconds, the proxy's CPU in cores, and reasons of opaque connections."""

    p50: float
    p99: float
    cores: float
    reasons: frozenset[str]


@dataclass(frozen=True, slots=True)
class Bench:
    """A started proxy with two ports: one for the neighbour, one for the attackers, with the server behind them."""

    folder: Path
    proxy: int
    neighbour: int
    attacked: int
    sink: int

    def measure(self, name: str, seconds: float) -> Sample:
        """Measure the neighbour during one attack."""
        program = [sys.executable, proxy_attacks.__file__, str(self.attacked), str(self.sink), name, str(seconds + 5)]
        downgrades = self._downgrades()
        with subprocess.Popen(program) as attack:
            try:
                attack.wait(WARM_SECONDS)
            except subprocess.TimeoutExpired:
                cpu, begun = cpu_seconds(self.proxy), monotonic()
                latencies = run_open_loop(self.neighbour, RATE, seconds)
                cores = (cpu_seconds(self.proxy) - cpu) / (monotonic() - begun)
            else:
                raise RuntimeError(f"the attack {name!r} ended with status {attack.returncode}")
            finally:
                attack.kill()
        reasons = (reason for reason, count in self._downgrades().items() if count > downgrades[reason])
        return Sample(quantile(latencies, 0.5), quantile(latencies, 0.99), cores, frozenset(reasons))

    def _downgrades(self) -> dict[str, int]:
        return read_page(self.folder / "page").downgrades


def section(*, quick: bool, names: Sequence[str] = (QUIET, *PATTERNS)) -> str:
    """Measure and return the table with what it was measured with."""
    rounds, seconds = (1, 1.0) if quick else (5, 3.0)
    samples: dict[str, list[Sample]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        bench = _start(stack, Path(folder))
        for number in range(rounds):
            for name in names:
                print(f"round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
                samples[name].append(bench.measure(name, seconds))
    rows = "\n".join(_row(name, samples[name], samples[QUIET]) for name in names)
    return (
        f"{rounds} rounds of {seconds:g} s each; the neighbour sends {RATE} requests/s, {CONNECTIONS} connections "
        f"attack.\n\n{HEADER}\n| --- | --- | --- | --- | --- | --- |\n{rows}\n"
    )


def _start(stack: ExitStack, folder: Path) -> Bench:
    neighbour, attacked, sink = free_port(), free_port(), free_port()
    command = [PILOTFISH, "proxy", "--shared", str(folder)]
    for port, upstream in ((neighbour, start_upstream(stack, folder)), (attacked, sink)):
        command += ["--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream}"]
    return Bench(folder, started(stack, command, folder, "pilotfish", neighbour), neighbour, attacked, sink)


def _row(name: str, own: list[Sample], quiet: list[Sample]) -> str:
    p50, p99 = (
        median(one.p50 / calm.p50 for one, calm in zip(own, quiet, strict=True)),
        median(one.p99 / calm.p99 for one, calm in zip(own, quiet, strict=True)),
    )
    cells = (
        name,
        f"{median(one.p50 for one in own):.0f}",
        f"{median(one.p99 for one in own):.0f}",
        f"{p50:.1f} / {p99:.1f}",
        f"{median(one.cores for one in own):.2f}",
        ", ".join(sorted(frozenset().union(*(one.reasons for one in own)))) or "-",
    )
    return "| " + " | ".join(cells) + " |"
