"""The recommender of the VerticalPodAutoscaler as a child process: what ours is compared with.

`.ci/vertical > build/vertical` builds it from its Go module.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest

from pilotfish.sidecar.control.resize.usage import ContainerUsage, OomKill
from pilotfish.sidecar.settings.resources import Resources
from tests.support.waiting import patient

SAID = Path(__file__).resolve().parents[3] / "build/vertical"  # by .ci/vertical

Amounts = dict[str, int]


@dataclass(frozen=True, slots=True)
class VerticalAnswer:
    """The recommendation after a step, by resource: millicores and bytes. Empty before the first sample."""

    target: Amounts
    lower: Amounts
    upper: Amounts
    uncapped: Amounts


@dataclass(frozen=True, slots=True)
class Vertical:
    """A running recommender. `begin` starts a case, `step` continues it."""

    requests: IO[str]
    answers: IO[str]

    def begin(self, resources: Resources) -> None:
        """Start with an empty history, and a VerticalPodAutoscaler with the bounds and percentiles of the block."""
        cpu, memory = resources.cpu, resources.memory
        assert cpu is not None
        assert memory is not None
        assert cpu.margin == memory.margin, "the VerticalPodAutoscaler has one margin"
        start = {
            "MinCPU": round(cpu.min * 1000),
            "MaxCPU": round(cpu.max * 1000),
            "MinMemory": memory.min,
            "MaxMemory": memory.max,
            "CPUPercentile": cpu.percentile,
            "MemoryPercentile": memory.percentile,
            "Margin": cpu.margin,
        }
        self._write({"start": start})

    def step(
        self, usages: Sequence[ContainerUsage], kills: Sequence[OomKill], now: float, pods: Sequence[str] = ()
    ) -> VerticalAnswer:
        """Add samples and kills, and return the recommendation at `now`.

        Only the named `pods` and those with samples or kills exist afterwards. CPU and memory are whole millicores and
        bytes, or not measured.
        """
        step = {
            "Now": now,
            "Pods": sorted({*pods, *(one.pod_uid for one in usages), *(one.pod_uid for one in kills)}),
            "Samples": [
                {
                    "Pod": one.pod_uid,
                    "At": one.at,
                    "CPU": None if one.cpu_cores is None else round(one.cpu_cores * 1000),
                    "Memory": None if one.memory_bytes is None else int(one.memory_bytes),
                }
                for one in usages
            ],
            "Kills": [{"Pod": one.pod_uid, "At": one.at, "Memory": int(one.memory_bytes)} for one in kills],
        }
        self._write({"step": step})
        found = json.loads(self.answers.readline())
        return VerticalAnswer(**{name: amounts or {} for name, amounts in found.items()})

    def _write(self, line: dict[str, Any]) -> None:
        self.requests.write(json.dumps(line) + "\n")
        self.requests.flush()


@contextmanager
def running_vertical() -> Iterator[Vertical]:
    """Run the recommender; skip the test where it is not built."""
    program = SAID.read_text().strip() if SAID.exists() else ""
    if not program or not Path(program).exists():
        pytest.skip("the VerticalPodAutoscaler is not built: `.ci/vertical > build/vertical` builds it, with Go")
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            yield Vertical(child.stdin, child.stdout)
        finally:
            child.stdin.close()
            child.wait(timeout=patient(10))
