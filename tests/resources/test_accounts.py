"""Conservation: what was attributed and what was idle add up to what was measured, in any history."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.resources.accounts import (
    COST,
    IDLE,
    IDLE_COST,
    MEASURED,
    RESOURCES,
    RULE,
    SHARED,
    Accounts,
    CostRules,
    UsageWindow,
    served,
)
from pilotfish.sidecar.resources.gpu.meter import GpuUse, ResourceSum
from pilotfish.sidecar.resources.gpu_use import SHARED_CARD, model_gpu_use
from pilotfish.sidecar.resources.totals import ResourceTotals
from pilotfish.sidecar.resources.usage import UsageMeter, UsageSample
from pilotfish.sidecar.resources.work import COUNTED, KINDS, Work
from pilotfish.sidecar.settings.document import AttributionSettings, Model, Prices

SECOND = 10**9
routes = st.sampled_from(["POST /a", "POST /v2/models/m/infer", "probes", "other", "GET /v1/models/x/versions/2"])
amounts = st.integers(0, 10**13)
resources = st.dictionaries(st.sampled_from(RESOURCES), st.integers(-10, 10**13))
prices = st.none() | st.builds(Prices, gpu_hour=st.floats(0, 100), cpu_hour=st.floats(0, 100), kwh=st.floats(0, 10))
models = st.builds(Model, name=st.sampled_from(["", "m"]), version=st.sampled_from(["", "1", "2"]))


kinds = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 10**9))


@st.composite
def works(draw: st.DrawFn) -> Work:
    work = Work()
    for outcome in draw(st.lists(st.sampled_from([COUNTED, "stream", "partial"]), max_size=4)):
        work.add_tokens(outcome, draw(kinds), draw(st.integers(0, 10**12)))
    work.add_rows(draw(st.integers(0, 10**6)), draw(st.integers(0, 10**12)))
    return work


windows = st.builds(
    UsageWindow,
    elapsed_ns=st.integers(1, 10**12),
    in_flight=st.none() | st.dictionaries(routes, amounts),
    exchanges=st.dictionaries(routes, st.integers(0, 1000)),
    measured=resources,
    unused=resources,
    usage=st.dictionaries(
        st.tuples(st.sampled_from(["model", "pilotfish"]), st.sampled_from(["cpu", "sent"])), amounts
    ),
    answered=st.dictionaries(routes, st.integers(0, 1000)),
    work=st.dictionaries(routes, works()),
)
attributions = st.builds(
    AttributionSettings,
    rule=st.sampled_from(["auto", "inFlight", "rows", "tokens"]),
    completion_weight=st.none() | st.floats(0.1, 1000),
)
rules_in_force = st.builds(CostRules, model=models, prices=prices, attribution=attributions)


@given(st.lists(st.tuples(windows, rules_in_force, st.booleans()), max_size=12))
def test_attributed_and_idle_are_what_was_measured_and_no_total_falls(
    history: list[tuple[UsageWindow, CostRules, bool]],
) -> None:
    accounts = Accounts(ResourceTotals())
    before: dict[tuple[str, ...], int] = {}
    for window, rules, restart in history:
        if restart:
            accounts = Accounts(ResourceTotals.decode(accounts.totals.encode()))
        accounts.add(window, rules)
        totals = accounts.totals
        for resource in RESOURCES:
            shared = sum(amount for (name, *_), amount in totals.of(SHARED) if name == resource)
            assert shared + totals.get(IDLE, resource) == totals.get(MEASURED, resource)
            assert shared == sum(amount for (name, _), amount in totals.of(RULE) if name == resource)
        totalled = (COST, IDLE, IDLE_COST, MEASURED, SHARED)
        after = {(kind, *key): amount for kind in totalled for key, amount in totals.of(kind)}
        assert all(after[key] >= amount for key, amount in before.items())
        before = after


@pytest.mark.parametrize(
    ("route", "model", "expected"),
    [
        ("POST /v2/models/m/infer", Model(name="m", version="3"), ("m", "3")),
        ("POST /v2/models/m/versions/7/infer", Model(name="m", version="3"), ("m", "7")),
        ("POST /v1/models/x:predict", Model(name="m", version="3"), ("x", "")),
        ("POST /predictions/x", Model(version="3"), ("x", "3")),
        ("POST /v1/chat/completions", Model(name="m", version="3"), ("m", "3")),
        ("other", Model(name="m", version="3"), ("m", "3")),
        ("probes", Model(name="m", version="3"), ("", "")),
    ],
)
def test_a_route_serves_the_model_in_its_path_else_that_of_the_document(
    route: str, model: Model, expected: tuple[str, str]
) -> None:
    assert served(route, model) == expected


def sample(source: str, at: int, **values: int) -> UsageSample:
    return UsageSample(at_ns=at * SECOND, source=source, method="processes", processes=1, threads=1, **values)  # type: ignore[arg-type]


def test_counters_of_a_new_process_or_a_counter_that_falls_start_anew() -> None:
    meter = UsageMeter()
    assert meter.add(sample("a", 0, cpu_ns=100)) == {"cpu": 0}
    cores = [meter.cores]
    assert meter.add(sample("a", 1, cpu_ns=SECOND + 100)) == {"cpu": SECOND}
    assert [*cores, meter.cores] == [None, 1.0]
    assert meter.add(sample("a", 2, cpu_ns=5)) == {"cpu": 0}
    assert meter.add(sample("b", 3, cpu_ns=900, oom_kills=2)) == {"cpu": 0, "oom_kills": 0}
    assert meter.add(None) == {}
    assert meter.add(sample("b", 5, cpu_ns=950, oom_kills=3)) == {"cpu": 0, "oom_kills": 0}
    assert meter.add(sample("b", 6, cpu_ns=960, oom_kills=4)) == {"cpu": 10, "oom_kills": 1}


def test_a_kill_for_memory_that_ends_the_process_is_counted_by_the_next_one_of_its_cgroup() -> None:
    def killed(root: str, at: int, kills: int, cgroup: str = "/c") -> UsageSample:
        return replace(sample(f"{cgroup}#{root}", at, cpu_ns=at, oom_kills=kills), cgroup=cgroup)

    meter = UsageMeter()
    assert meter.add(killed("7", 0, 2))["oom_kills"] == 0
    assert meter.add(None) == {}
    assert meter.add(killed("9", 2, 3)) == {"cpu": 0, "oom_kills": 1}
    assert meter.add(killed("9", 3, 3))["oom_kills"] == 0
    assert meter.add(killed("11", 4, 9, "/other"))["oom_kills"] == 0


def gpus(**busy: tuple[float, float, float]) -> GpuUse:
    """Sums of a GPU for each name: seconds measured, seconds with a kernel, joules. Processes have the key `p<pid>`."""
    devices = {name: ResourceSum(*sums) for name, sums in busy.items() if not name.startswith("p")}
    processes = {(int(name[1:]), "g"): ResourceSum(*sums) for name, sums in busy.items() if name.startswith("p")}
    known = frozenset(devices)
    return GpuUse(devices=devices, processes=processes, with_utilization=known, with_energy=known)


def test_a_gpu_of_the_model_alone_counts_as_a_whole() -> None:
    before, after = gpus(g=(10, 5, 100), p7=(10, 5, 0)), gpus(g=(12, 6, 150), h=(9, 9, 9), p7=(12, 6, 0))
    found = model_gpu_use(before, after, {7})
    assert (found.busy_ns, found.card_ns, found.energy_uj, found.notes) == (SECOND, 2 * SECOND, 50_000_000, ())


def test_a_shared_gpu_is_divided_like_the_time_of_the_kernels() -> None:
    before, after = gpus(g=(10, 5, 100)), gpus(g=(12, 7, 140), p7=(2, 0.5, 0), p8=(2, 1.5, 0))
    found = model_gpu_use(before, after, {7})
    assert (found.busy_ns, found.card_ns, found.energy_uj) == (SECOND // 2, SECOND // 2, 10_000_000)
    assert found.notes == (SHARED_CARD,)
