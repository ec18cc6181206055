"""Cost and use of a prediction against a calculation by hand, also if prices or the source came later."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.report.blocks.resources import ResourceReport
from pilotfish.sidecar.report.schema import Report, TickStatus
from pilotfish.sidecar.resources.accounts import CPU, GPU, MEMORY, Accounts, CostRules, UsageWindow
from pilotfish.sidecar.resources.collector import collect
from pilotfish.sidecar.resources.reporting import resource_report
from pilotfish.sidecar.resources.totals import ResourceTotals
from pilotfish.sidecar.resources.watch import ResourceView
from pilotfish.sidecar.resources.work import COUNTED, Work
from pilotfish.sidecar.settings.document import Model, Prices

SECOND, GIB = 10**9, 1 << 30
ROUTE = "POST /v2/models/m/infer"
MODEL = Model(name="m", version="1")
PRICES = Prices(cpu_hour=0.36, memory_gib_hour=0.036, gpu_hour=3.6, currency="EUR")


def second(exchanges: int = 10, tokens: int = 0, **measured: int) -> UsageWindow:
    """A second with a request in flight all the time."""
    work = Work()
    for _ in range(exchanges if tokens else 0):
        work.add_tokens(COUNTED, {"prompt": tokens // 2, "completion": tokens - tokens // 2}, SECOND // 10)
    return UsageWindow(
        elapsed_ns=SECOND, in_flight={ROUTE: SECOND}, exchanges={ROUTE: exchanges}, answered={ROUTE: exchanges},
        measured=measured, work={ROUTE: work} if tokens else {},
    )  # fmt: skip


def report(totals: ResourceTotals, prices: Prices | None) -> ResourceReport:
    made = Report(made_at=1.0, started_at=1.0, state="unprofiled", ticks=TickStatus(tick_seconds=60.0))
    return resource_report(ResourceView(totals=totals), made, prices)


def series(totals: ResourceTotals, prices: Prices | None) -> set[str]:
    return {family.name for family in collect(ResourceView(totals=totals), prices) if family.samples}


def test_the_cost_of_predictions_and_tokens_is_that_of_a_calculation_by_hand() -> None:
    accounts, rules = Accounts(ResourceTotals()), CostRules(model=MODEL, prices=PRICES)
    for _ in range(60):
        accounts.add(second(tokens=200, cpu=SECOND // 2, memory=2 * GIB, gpu=SECOND // 4), rules)
    found = report(accounts.totals, PRICES)
    # for 10 requests: half a second of CPU, a second of 2 GiB, and a quarter of a second of a GPU
    by_hand = (0.5 * 0.36 + 2 * 0.036 + 0.25 * 3.6) / 3600 / 10
    (cost,) = found.predictions
    assert cost.predictions == 600
    assert cost.cost_per_1000 == pytest.approx(1000 * by_hand)
    assert cost.cpu_seconds == pytest.approx(0.05)
    (tokens,) = found.tokens
    assert tokens.cost_per_million == pytest.approx(1e6 * by_hand / 200)
    assert tokens.cpu_seconds_per_million == pytest.approx(1e6 * 0.05 / 200)


def test_predictions_before_the_prices_do_not_make_the_later_ones_cheap() -> None:
    accounts = Accounts(ResourceTotals())
    for prices in (None, None, None, PRICES):
        accounts.add(second(tokens=100, cpu=SECOND), CostRules(model=MODEL, prices=prices))
    found = report(accounts.totals, PRICES)
    assert found.predictions[0].cost_per_1000 == pytest.approx(1000 * 0.36 / 3600 / 10)
    assert found.predictions[0].cpu_seconds == pytest.approx(0.1)
    assert found.predictions[0].predictions == 40
    assert found.tokens[0].cost_per_million == pytest.approx(1e6 * 0.36 / 3600 / 10 / 100)


def test_predictions_before_the_model_server_was_visible_do_not_count_as_free() -> None:
    accounts = Accounts(ResourceTotals())
    for window in (second(), second(), second(cpu=SECOND), second(cpu=SECOND, gpu=SECOND)):
        accounts.add(window, CostRules(model=MODEL))
    accounts = Accounts(ResourceTotals.decode(accounts.totals.encode()))
    (found,) = report(accounts.totals, None).predictions
    assert (found.cpu_seconds, found.gpu_seconds, found.cost_per_1000) == (0.1, 0.1, None)


def test_a_price_of_something_that_is_not_measured_gives_no_zero() -> None:
    accounts, prices = Accounts(ResourceTotals()), Prices(gpu_hour=2.5)
    accounts.add(second(cpu=SECOND), CostRules(model=MODEL, prices=prices))
    found = report(accounts.totals, prices)
    assert found.predictions[0].cost_per_1000 is None
    assert found.idle is not None
    assert found.idle.cost is None
    assert found.notes == ("gpuHour is set, but gpu is not measured; the costs do not contain it",)
    assert not series(accounts.totals, prices) & {"pilotfish_cost", "pilotfish_idle_cost"}


def test_without_prices_there_is_no_series_of_costs() -> None:
    accounts = Accounts(ResourceTotals())
    accounts.add(second(cpu=SECOND), CostRules(model=MODEL))
    assert "pilotfish_cpu_seconds" in series(accounts.totals, None)
    assert not series(accounts.totals, None) & {"pilotfish_cost", "pilotfish_idle_cost"}


def test_totals_of_an_older_release_keep_their_means() -> None:
    accounts = Accounts(ResourceTotals())
    accounts.add(second(cpu=SECOND), CostRules(model=MODEL, prices=PRICES))
    old = {key: amount for key, amount in accounts.totals.items() if key[0] != "covered"}
    totals = Accounts(ResourceTotals(old)).totals
    assert report(totals, PRICES).predictions == report(accounts.totals, PRICES).predictions


def test_a_resource_that_comes_after_thousands_of_routes_is_still_conserved() -> None:
    accounts = Accounts(ResourceTotals())
    for version in range(300):
        routes = {f"POST /{version}/{number}": SECOND for number in range(64)}
        window = UsageWindow(elapsed_ns=SECOND, in_flight=routes, exchanges=routes, measured={CPU: 64})
        accounts.add(window, CostRules(model=Model(name="m", version=str(version)), prices=PRICES))
    accounts.add(second(cpu=7, gpu=SECOND, memory=GIB), CostRules(model=Model(name="new", version="9"), prices=PRICES))
    totals = accounts.totals
    for resource in (CPU, GPU, MEMORY):
        shared = sum(amount for (name, *_), amount in totals.of("shared") if name == resource)
        assert shared + totals.get("idle", resource) == totals.get("measured", resource) > 0
    assert sum(amount for _, amount in totals.of("exchanges")) == 300 * 64 * SECOND + 10
    assert len(list(totals.items())) < 5100
