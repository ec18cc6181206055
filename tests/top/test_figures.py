"""Rates of sidecars add up, and quantiles lie where Prometheus puts them."""

from __future__ import annotations

from math import inf, isclose

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.top.exposition import RouteCounts
from pilotfish.sidecar.top.figures import Figures, quantile, rates, total
from tests.support.examples import examples

BOUNDS = (0.01, 0.1, 1.0, inf)
buckets = st.lists(st.integers(0, 1000), min_size=4, max_size=4).map(
    lambda counts: dict(zip(BOUNDS, (sum(counts[: at + 1]) for at in range(4)), strict=True))
)


def test_a_rate_is_the_growth_of_a_second() -> None:
    before = RouteCounts(10, 1, {0.1: 10, inf: 10}, {"cpu": 1.0})
    now = RouteCounts(30, 2, {0.1: 25, inf: 30}, {"cpu": 2.0})
    found = rates(before, now, 4.0)
    assert found is not None
    assert (found.requests, found.error_ratio, found.uses["cpu"], found.uses["gpu"]) == (5.0, 0.05, 0.25, None)
    assert found.per_request("cpu") == 0.05
    assert found.buckets == {0.1: 3.75, inf: 5.0}


def test_counters_that_begin_anew_give_no_rate() -> None:
    assert rates(RouteCounts(10), RouteCounts(3), 1.0) is None
    found = rates(RouteCounts(1, uses={"cpu": 5.0}), RouteCounts(2, uses={"cpu": 1.0}), 1.0)
    assert found is not None
    assert found.uses["cpu"] is None, "the analyzer restarted, the proxy did not"


def test_a_use_that_one_pod_does_not_know_is_unknown_for_all() -> None:
    found = total([Figures(1, uses={"cpu": 0.5, "gpu": 0.1}), Figures(1, uses={"cpu": 0.5})])
    assert found is not None
    assert (found.uses["cpu"], found.uses["gpu"]) == (1.0, None)


def test_without_requests_there_is_no_quantile_ratio_or_cost() -> None:
    found = Figures(0.0, 0.0, {0.1: 0.0, inf: 0.0}, {"cpu": 0.2, "cost": 1.0})
    assert (found.p95, found.error_ratio, found.cost_per_1000, found.per_request("cpu")) == (None,) * 4


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile(0.95, {0.1: 1, 1.0: 2, inf: 100}) == 1.0
    assert quantile(0.5, {0.1: 0, 1.0: 10, inf: 10}) == 0.55


@settings(max_examples=examples(200))
@given(buckets, st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_bucket_that_holds_it(counts: dict[float, int], share: float) -> None:
    found = quantile(share, counts)
    if counts[inf] == 0:
        assert found is None
        return
    assert found is not None
    holding = next(at for at, bound in enumerate(BOUNDS) if counts[bound] >= share * counts[inf])
    low = BOUNDS[holding - 1] if holding else 0.0
    assert low <= found <= min(BOUNDS[holding], 1.0)
    higher = quantile(min(0.999, share + 0.005), counts)
    assert higher is not None
    assert higher >= found


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(buckets, buckets, st.floats(0, 5), st.floats(0, 5)), min_size=1, max_size=5))
def test_the_figures_of_a_fleet_are_those_of_one_pod_with_all_requests(
    pods: list[tuple[dict[float, int], dict[float, int], float, float]],
) -> None:
    def counts(found: dict[float, float], cpu: float) -> RouteCounts:
        return RouteCounts(found[inf], found[inf] / 2, found, {"cpu": cpu})

    def added(parts: list[dict[float, int]]) -> dict[float, float]:
        return {bound: sum(part[bound] for part in parts) for bound in BOUNDS}

    parts = []
    for first, more, cpu, used in pods:
        before = counts(added([first]), cpu)
        found = rates(before, counts(added([first, more]), cpu + used), 2.0)
        assert found is not None
        parts.append(found)
    whole = total(parts)
    begin = counts(added([pod[0] for pod in pods]), sum(pod[2] for pod in pods))
    end = counts(added([one for pod in pods for one in pod[:2]]), sum(pod[2] + pod[3] for pod in pods))
    single = rates(begin, end, 2.0)
    assert whole is not None
    assert single is not None
    assert isclose(whole.requests, single.requests)
    assert (whole.p95 is None) == (single.p95 is None)
    assert whole.p95 is None or single.p95 is None or isclose(whole.p95, single.p95, rel_tol=1e-6)
    assert whole.uses["cpu"] is not None
    assert single.uses["cpu"] is not None
    assert isclose(whole.uses["cpu"], single.uses["cpu"], abs_tol=1e-9)
