"""The benchmark of scaling: its traces are the frozen ones, and it chooses targets on the tuning half only."""

from __future__ import annotations

import pytest

from tests.benchmarks.scaling.choice import chosen
from tests.benchmarks.scaling.contenders import CONTENDERS, HPA, PILOTFISH, TARGETS, Run
from tests.benchmarks.scaling.traces import HALVES, HELD_OUT, check_frozen


@pytest.mark.real
def test_the_traces_are_the_frozen_ones() -> None:
    check_frozen()


def runs(cost: dict[str, float], missed: dict[str, int], held_out: float = 1.0) -> list[Run]:
    """Return runs whose cost falls and whose misses grow with the target."""
    return [
        Run(
            trace="t",
            kind="ramp",
            half=half,
            contender=name,
            target=target,
            missed=int(missed[name] * target),
            judged=1000,
            pod_hours=cost[name] / target * (held_out if half == HELD_OUT else 1.0),
            ideal=1.0,
            changes=0,
            reversals=0,
            given_up=0.0,
        )
        for half in HALVES
        for name in CONTENDERS
        for target in TARGETS
    ]


@pytest.mark.parametrize("held_out", [1.0, 100.0])
def test_targets_are_chosen_on_the_tuning_half(held_out: float) -> None:
    found = chosen(runs({HPA: 1.0, PILOTFISH: 0.9}, {HPA: 11, PILOTFISH: 5}, held_out))
    assert found == {HPA: 0.9, PILOTFISH: 0.9}


def test_an_hpa_that_always_misses_takes_the_target_with_the_fewest() -> None:
    assert chosen(runs({HPA: 1.0, PILOTFISH: 2.0}, {HPA: 900, PILOTFISH: 10}))[HPA] == min(TARGETS)
