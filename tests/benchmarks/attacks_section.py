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
from time import thread_time_ns

from pilotfish.sidecar.channel.page import CounterPage, read_page
from pilotfish.sidecar.channel.record import Piece, Record
from pilotfish.sidecar.proxy.observer import ConnectionObserver, Observer
from pilotfish.sidecar.settings.proxy import ProxySettings
from tests.benchmarks import proxy_attacks
from tests.benchmarks.proxy_attacks import CONNECTIONS, PATTERNS, QUIET, READ, Pattern
from tests.benchmarks.proxy_contenders import PILOTFISH, start_upstream, started
from tests.benchmarks.proxy_load import run_open_loop
from tests.benchmarks.proxy_measure import quantile
from tests.support.ports import free_port

RATE = 300  # requests/s of the neighbour
WARM_SECONDS = 0.3
SECOND = 1_000_000_000
HEADER = "| the others send | p50 µs | p99 µs | p50 / p99, x quiet | parsing of one round, ms | became opaque |"


@dataclass(frozen=True, slots=True)
class Sample:
    """Latencies of the neighbour in microseconds, and reasons of opaque connections."""

    p50: float
    p99: float
    reasons: frozenset[str]


class NoReader:
    """Has no reader, in place of the proxy's ChannelWriter."""

    connected = False
    queued_bytes = 0

    def offer(self, _record: Record, _request_body: Sequence[Piece], _response_body: Sequence[Piece]) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Bench:
    """A started proxy with two ports: one for the neighbour, one for the attackers, with the server behind them."""

    folder: Path
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
                latencies = run_open_loop(self.neighbour, RATE, seconds)
            else:
                raise RuntimeError(f"the attack {name!r} ended with status {attack.returncode}")
            finally:
                attack.kill()
        reasons = (reason for reason, count in self._downgrades().items() if count > downgrades[reason])
        return Sample(quantile(latencies, 0.5), quantile(latencies, 0.99), frozenset(reasons))

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
        costs = {name: parsing_cost(PATTERNS[name], Path(folder)) for name in names if name != QUIET}
    rows = "\n".join(_row(name, samples[name], samples[QUIET], costs.get(name, 0.0)) for name in names)
    return (
        f"{rounds} rounds of {seconds:g} s each; the neighbour sends {RATE} requests/s, {CONNECTIONS} connections "
        f"attack.\n\n{HEADER}\n| --- | --- | --- | --- | --- | --- |\n{rows}\n"
    )


def _start(stack: ExitStack, folder: Path) -> Bench:
    neighbour, attacked, sink = free_port(), free_port(), free_port()
    command = [PILOTFISH, "proxy", "--shared", str(folder)]
    for port, upstream in ((neighbour, start_upstream(stack, folder)), (attacked, sink)):
        command += ["--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream}"]
    started(stack, command, folder, "pilotfish", neighbour)
    return Bench(folder, neighbour, attacked, sink)


def parsing_cost(pattern: Pattern, folder: Path) -> float:
    """Return the CPU time, in ms, of parsing one burst of all attackers: the median of the first of 7 new proxies.

    It does not depend on other load on the machine, as latencies do.
    """
    costs = []
    for number in range(7):
        page = CounterPage.open(folder / f"page-{number}", now_ns=1)
        observer = Observer(page, NoReader(), ProxySettings(0))
        connections = [ConnectionObserver(observer, 0) for _ in range(CONNECTIONS)]
        begun = thread_time_ns()
        for connection in connections:
            for side, data in (
                (connection.client, pattern.opening + pattern.burst),
                (connection.server, pattern.answer + pattern.answers),
            ):
                for start in range(0, len(data), READ):
                    side(memoryview(data)[start : start + READ], SECOND + thread_time_ns() - begun)
        costs.append((thread_time_ns() - begun) / 1e6)
        page.close()
    return median(costs)


def _row(name: str, own: list[Sample], quiet: list[Sample], cost: float) -> str:
    p50, p99 = (
        median(one.p50 / calm.p50 for one, calm in zip(own, quiet, strict=True)),
        median(one.p99 / calm.p99 for one, calm in zip(own, quiet, strict=True)),
    )
    cells = (
        name,
        f"{median(one.p50 for one in own):.0f}",
        f"{median(one.p99 for one in own):.0f}",
        f"{p50:.1f} / {p99:.1f}",
        f"{cost:.1f}",
        ", ".join(sorted(frozenset().union(*(one.reasons for one in own)))) or "-",
    )
    return "| " + " | ".join(cells) + " |"
