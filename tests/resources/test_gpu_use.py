"""The part of the GPUs' use that belongs to the model server."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.resources.gpu.meter import GpuMeter, GpuUse
from pilotfish.sidecar.resources.gpu.sample import GpuSample
from pilotfish.sidecar.resources.gpu_use import MIG_CARD, SHARED_CARD, model_gpu_use
from tests.resources.gpu.made import device, instance, process, sample
from tests.support.examples import examples

NOTHING = GpuUse()


def used(*samples: GpuSample) -> GpuUse:
    meter = GpuMeter()
    for one in samples:
        meter.add(one)
    return meter.use


def test_a_gpu_of_the_model_server_alone_counts_as_a_whole() -> None:
    two = [sample(device(utilization=0.5, energy=joules), processes=(process(7, 0.4),)) for joules in (100.0, 400.0)]
    found = model_gpu_use(NOTHING, used(*two), [7])
    assert (found.busy_ns, found.card_ns, found.energy_uj) == (10**9, 2 * 10**9, 300 * 10**6)
    assert found.notes == ()


def test_a_shared_gpu_is_divided_by_the_time_of_the_processes() -> None:
    use = used(sample(device(utilization=0.8, power=100.0), processes=(process(7, 0.6), process(9, 0.2))))
    found = model_gpu_use(NOTHING, use, [7])
    assert (found.busy_ns, found.energy_uj) == (round(0.6e9), 75 * 10**6)
    assert found.notes == (SHARED_CARD,)


def test_a_shared_gpu_without_samples_of_processes_is_divided_by_their_number() -> None:
    use = used(sample(device(utilization=0.8), processes=(process(7, None), process(9, None))))
    assert model_gpu_use(NOTHING, use, [7]).busy_ns == round(0.4e9)


def test_a_process_that_has_ended_shares_no_gpu() -> None:
    both = sample(device(utilization=1.0), processes=(process(7, 0.5), process(9, 0.5)))
    alone = sample(device(utilization=0.0), processes=(process(7, None),))
    found = model_gpu_use(used(both), used(both, alone), [7])
    assert (found.busy_ns, found.card_ns, found.notes) == (0, 10**9, ())


def test_gpus_of_other_processes_do_not_count() -> None:
    use = used(sample(device(utilization=1.0), processes=(process(9, 1.0),)))
    found = model_gpu_use(NOTHING, use, [7])
    assert (found.busy_ns, found.card_ns, found.energy_uj, found.notes) == (None, None, None, ())


def test_a_gpu_that_is_given_counts_as_a_whole_while_no_process_is_listed_on_it() -> None:
    found = model_gpu_use(NOTHING, used(sample(device(utilization=1.0))), [7], ["GPU-0"])
    assert (found.busy_ns, found.card_ns) == (10**9, 10**9)
    taken = used(sample(device(utilization=1.0), processes=(process(9, 1.0),)))
    assert model_gpu_use(NOTHING, taken, [7], ["GPU-0"]).busy_ns is None


def partitioned(*shares: tuple[float, float | None], pid: int = 7) -> GpuSample:
    parts = tuple(
        instance(f"MIG-{number}", share=share, utilization=running) for number, (share, running) in enumerate(shares)
    )
    processes = tuple(process(pid + number, None, instance=one.uuid) for number, one in enumerate(parts))
    return sample(device(power=700.0, instances=parts), processes=processes)


def test_an_instance_counts_as_its_share_of_the_card() -> None:
    use = used(partitioned((1 / 7, 0.5), (3 / 7, 1.0)))
    found = model_gpu_use(NOTHING, use, [8])
    assert found.busy_ns == found.card_ns == round(3 / 7 * 1e9)
    assert found.energy_uj == 300 * 10**6
    assert found.notes == (MIG_CARD,)


def test_an_instance_whose_utilization_is_unavailable_still_has_its_share_of_the_energy() -> None:
    found = model_gpu_use(NOTHING, used(partitioned((2 / 7, None))), [7])
    assert (found.busy_ns, found.card_ns, found.energy_uj) == (None, None, 200 * 10**6)


@settings(max_examples=examples(200))
@given(
    st.floats(0, 1),
    st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=6),
    st.lists(st.tuples(st.integers(1, 7), st.none() | st.floats(0, 1)), max_size=3),
)
def test_the_parts_of_all_processes_add_up_to_at_most_the_card(
    running: float, processes: list[float | None], slices: list[tuple[int, float | None]]
) -> None:
    whole = sample(
        device(utilization=running, power=100.0),
        processes=tuple(process(10 + n, one) for n, one in enumerate(processes)),
    )
    found = [model_gpu_use(NOTHING, used(whole), [10 + n]) for n in range(len(processes))]
    assert sum(one.busy_ns or 0 for one in found) == pytest.approx(running * 1e9, abs=len(processes))
    assert sum(one.energy_uj or 0 for one in found) == pytest.approx(100e6, abs=len(processes))
    most = max(7, sum(count for count, _ in slices))
    parts = partitioned(*((count / most, one) for count, one in slices))
    shares = [model_gpu_use(NOTHING, used(parts), [7 + n]) for n in range(len(slices))]
    assert sum(one.energy_uj or 0 for one in shares) <= 700e6 + len(slices)
    assert sum(one.card_ns or 0 for one in shares) <= 1e9 + len(slices)
