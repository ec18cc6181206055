"""The counters of the GPUs of pods: nothing is counted twice, and nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.node.allocations import Units, read_allocations, resolve
from pilotfish.sidecar.node.cgroup_paths import PodCgroup, Unplaced
from pilotfish.sidecar.node.messages import MESSAGES
from pilotfish.sidecar.node.pod_counters import KEPT_SECONDS, PodCaller, PodCounters, gpu_figures
from pilotfish.sidecar.resources.gpu.meter import GpuMeter, GpuUse
from pilotfish.sidecar.resources.gpu.sample import GpuSample
from pilotfish.sidecar.resources.pod.gpus import HIDDEN
from tests.node.kubelets import pod
from tests.resources.gpu.made import device, instance, process, sample
from tests.support.examples import examples

SECOND = 10**9
A, B = PodCaller("uid-a", "models", "a"), PodCaller("uid-b", "models", "b")
PLACES: dict[int, PodCgroup | Unplaced] = {
    1: PodCgroup("uid-a", "x"),
    2: PodCgroup("uid-b", "y"),
    3: Unplaced.HOST,
    4: Unplaced.UNKNOWN,
}


def units(one: GpuSample, *pods: dict) -> Units:
    return resolve(read_allocations(MESSAGES["ListPodResourcesResponse"](pod_resources=list(pods)), None), one, {})


def counted(one: GpuSample, given: Units = Units()) -> PodCounters:  # noqa: B008  # it is frozen
    meter, counters = GpuMeter(), PodCounters("run")
    meter.add(one)
    for caller in (A, B):
        counters.ask(caller, 0.0)
    counters.add(GpuUse(), meter.use, PLACES, given)
    return counters


def test_pods_that_share_a_gpu_get_their_parts_of_it() -> None:
    one = sample(device(utilization=0.8, power=100.0), processes=(process(1, 0.6), process(2, 0.2)))
    counters = counted(one)
    first, second = counters.entries[A], counters.entries[B]
    assert (first.busy_ns, second.busy_ns) == (round(0.6e9), round(0.2e9))
    assert (first.energy_uj, second.energy_uj) == (75 * 10**6, 25 * 10**6)
    assert first.card_ns == round(0.75e9)


def test_a_pod_without_a_gpu_has_no_counters() -> None:
    counters = counted(sample(device(utilization=1.0), processes=(process(1, 1.0),)))
    assert (counters.entries[B].busy_ns, counters.entries[B].units) == (None, frozenset())
    assert gpu_figures(counters.entries[B], sample(device()), GpuUse(), {}) is None


def test_an_idle_gpu_that_only_one_pod_was_given_costs_it_the_time_of_the_card() -> None:
    one = sample(device(utilization=0.0))
    counters = counted(one, units(one, pod("a", {"nvidia.com/gpu": ["GPU-0"]})))
    assert (counters.entries[A].busy_ns, counters.entries[A].card_ns) == (0, SECOND)
    assert counters.entries[B].card_ns is None


def test_an_idle_gpu_with_shares_belongs_to_nobody() -> None:
    one = sample(device(utilization=0.0))
    counters = counted(one, units(one, pod("a", {"nvidia.com/gpu": ["GPU-0::0"]})))
    assert counters.entries[A].card_ns is None
    assert counters.entries[A].units == {"GPU-0"}


@pytest.mark.parametrize(("pid", "belongs"), [(3, False), (4, True)])
def test_a_process_without_a_pod_belongs_to_the_owner_of_the_gpu_but_not_one_of_the_node(
    pid: int, belongs: bool
) -> None:
    one = sample(device(utilization=0.5), processes=(process(pid, 0.5),))
    counters = counted(one, units(one, pod("a", {"nvidia.com/gpu": ["GPU-0"]})))
    assert counters.entries[A].pids == ({pid} if belongs else frozenset())
    assert counters.entries[A].busy_ns == (SECOND // 2 if belongs else None)


def test_a_pod_sees_nothing_of_the_processes_and_gpus_of_others() -> None:
    parts = (instance("MIG-a", share=0.5, utilization=0.5), instance("MIG-b", share=0.5, utilization=0.5))
    one = sample(
        device("GPU-0", utilization=0.8, power=300.0),
        device("GPU-1", power=500.0, mig_enabled=True, instances=parts),
        device("GPU-2", utilization=1.0),
        processes=(
            process(1, 0.6), process(2, 0.2), process(1, None, "GPU-1", "MIG-a"), process(2, None, "GPU-1", "MIG-b"),
            process(2, 1.0, "GPU-2"),
        ),
    )  # fmt: skip
    counters = counted(one)
    meter = GpuMeter()
    meter.add(one)
    found = gpu_figures(counters.entries[A], one, meter.use, {})
    assert found is not None
    assert [shown.uuid for shown in found.sample.devices] == ["GPU-0", "GPU-1"]
    assert [part.uuid for part in found.sample.devices[1].instances] == ["MIG-a"]
    assert found.sample.devices[1].power is None
    assert [(shown.pid, shown.utilization) for shown in found.sample.processes] == [(1, 0.6), (HIDDEN, None), (1, None)]
    assert {one.pid for one in found.processes} == {1}
    assert {one.uuid for one in found.sums} == {"GPU-0", "MIG-a"}


def test_a_pod_that_asks_again_after_a_while_begins_new_counters() -> None:
    counters = counted(sample(device(utilization=1.0), processes=(process(1, 1.0),)))
    before = counters.entries[A].since
    counters.drop_absent(KEPT_SECONDS)
    assert counters.ask(A, KEPT_SECONDS).since == before
    counters.drop_absent(2 * KEPT_SECONDS + 1)
    assert counters.ask(A, 0.0).since != before


IDS = ("GPU-0", "GPU-1::0", "GPU-1::1", "GPU-2")
shares = st.none() | st.floats(0, 1)


@settings(max_examples=examples(150))
@given(
    st.lists(st.tuples(st.floats(0, 1), st.dictionaries(st.integers(1, 4), shares, max_size=4)), max_size=3),
    st.lists(st.sampled_from(IDS), max_size=4),
    st.lists(st.sampled_from(IDS), max_size=4),
)
def test_the_parts_of_all_pods_are_never_more_than_the_cards(
    cards: list[tuple[float, dict[int, float | None]]], first: list[str], second: list[str]
) -> None:
    one = sample(
        *(device(f"GPU-{n}", index=n, utilization=busy, power=100.0) for n, (busy, _) in enumerate(cards)),
        processes=tuple(
            process(pid, share, f"GPU-{n}")
            for n, (_, listed) in enumerate(cards)
            for pid, share in dict(listed).items()
        ),
    )
    given = units(one, *(pod(name, {"nvidia.com/gpu": ids}) for name, ids in (("a", first), ("b", second)) if ids))
    counters = counted(one, given)
    found = counters.entries.values()
    assert sum(entry.busy_ns or 0 for entry in found) <= sum(busy for busy, _ in cards) * SECOND + 4
    assert sum(entry.card_ns or 0 for entry in found) <= len(cards) * SECOND + 4
    assert sum(entry.energy_uj or 0 for entry in found) <= len(cards) * 100e6 + 4
    assert all((entry.busy_ns or 0) <= (entry.card_ns or 0) + 1 for entry in found)
