"""The summary marks each promise; one that was not kept makes the demo fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilotfish.sidecar.demo.measurements import MeasuredAccounting, ModelUse, ProcessUsage, overhead_of, read_accounting
from pilotfish.sidecar.demo.state import DemoState
from pilotfish.sidecar.demo.summary import failed_checks, summarise
from pilotfish.sidecar.report.blocks.resources import PredictionCost
from tests.demo.made import day
from tests.demo.test_state import loop, state_after

DAYS = 7
EXACT = MeasuredAccounting(seen=180 * DAYS, fates={"measured": 180 * DAYS}, rows=900 * DAYS)
EXPOSITION = """\
# TYPE pilotfish_exchanges_seen counter
pilotfish_exchanges_seen_total 12
# TYPE pilotfish_exchanges counter
pilotfish_exchanges_total{fate="measured",reason=""} 8
pilotfish_exchanges_total{fate="dropped",reason="channel_full"} 1
pilotfish_exchanges_total{fate="dropped",reason="aborted"} 0
# TYPE pilotfish_exchanges_queued gauge
pilotfish_exchanges_queued 3
# TYPE pilotfish_rows counter
pilotfish_rows_total{model="air-time",side="input"} 40
pilotfish_rows_total{model="air-time",side="prediction"} 39
"""


def broken(state: DemoState, accounting: MeasuredAccounting | None = EXACT) -> list[str]:
    return failed_checks(summarise(state, accounting, ProcessUsage(2.0, 2**24), 60.0))


def test_a_closed_loop_keeps_every_promise() -> None:
    state = state_after(*loop())
    results = {result.what: result.measured for result in summarise(state, EXACT, ProcessUsage(0.35, 2**24), 60.0)}
    assert broken(state) == []
    assert results["alarm after"] == "900 rows of changed traffic"
    assert results["onset"] == "4 August; the change was on 4 August"
    assert results["mean absolute error"] == "7.0 before, 40.0 after the change, 7.0 after the retraining (minutes)"
    assert "5.0% of a core, 16 MiB" in results["proxy overhead"]


def test_a_loop_that_does_not_close_is_reported() -> None:
    assert broken(state_after(*loop(after=30.0))) == ["loop"]
    assert broken(state_after(*loop()[:6]), None) == ["alarm", "loop"]


@pytest.mark.parametrize(
    "accounting",
    [
        MeasuredAccounting(180 * DAYS, {"measured": 180 * DAYS - 1}, 900 * DAYS),
        MeasuredAccounting(180 * DAYS + 1, {"measured": 180 * DAYS + 1}, 900 * DAYS),
        MeasuredAccounting(180 * DAYS, {"measured": 180 * DAYS}, 900 * DAYS - 5),
    ],
    ids=["a fate is missing", "more than was sent", "rows are missing"],
)
def test_accounting_that_does_not_add_up_is_reported(accounting: MeasuredAccounting) -> None:
    assert broken(state_after(*loop()), accounting) == ["accounting"]


def test_a_failed_request_is_reported() -> None:
    assert broken(state_after(*loop()[:-1], day(98, failures=1))) == ["failed requests"]


def test_the_accounting_is_read_from_metrics() -> None:
    found = read_accounting(EXPOSITION)
    assert found == MeasuredAccounting(12, {"measured": 8, "dropped channel_full": 1, "queued": 3}, 40)
    assert found.exact
    assert not found.at_rest


def test_overhead_is_unknown_without_a_proxy(tmp_path: Path) -> None:
    assert overhead_of(tmp_path) is None


def use(reported: float, counted: float) -> ModelUse:
    cost = PredictionCost(
        model="air-time", version="1", per="row", predictions=900, cpu_seconds=0.0002, cost_per_1000=0.000004
    )
    return ModelUse(reported, counted, (cost,), "USD")


def test_the_cost_of_a_prediction_is_shown_and_its_cpu_time_is_compared_with_proc() -> None:
    state = state_after(*loop())
    results = summarise(state, EXACT, ProcessUsage(2.0, 2**24), 60.0, (use(1.0, 3.0), use(5.0, 7.05)))
    (found,) = (result for result in results if result.what == "a prediction")
    assert found.measured == "200 µs of CPU, 0.004 USD per million; 4.00 s of CPU in all, 4.05 s by /proc"
    assert found.holds
    off = summarise(state, EXACT, ProcessUsage(2.0, 2**24), 60.0, (use(1.0, 3.0), use(5.0, 7.5)))
    assert failed_checks(off) == ["a prediction"]
    unknown = summarise(state, EXACT, ProcessUsage(2.0, 2**24), 60.0, (None, use(5.0, 7.0)))
    assert failed_checks(unknown) == []
