"""The sums of samples: they never fall, they count what was measured, and they survive restarts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.resources.gpu import meter as meters
from pilotfish.sidecar.resources.gpu.meter import LONGEST_INTERVAL, GpuMeter, GpuUse
from pilotfish.sidecar.resources.gpu.sample import GpuSample
from tests.resources.gpu.made import device, instance, process, sample
from tests.support.examples import examples

SHARES = st.none() | st.floats(0, 1)
SAMPLES = st.lists(
    st.builds(
        lambda seconds, share, energy, power: sample(
            device(utilization=share, energy=energy, power=power),
            seconds=seconds,
            processes=(process(7, share),),
        ),
        st.none() | st.floats(0, 2 * LONGEST_INTERVAL),
        SHARES,
        st.none() | st.floats(0, 1e6),
        st.none() | st.floats(0, 1000),
    ),
    max_size=30,
)


def used(*samples: GpuSample) -> GpuUse:
    meter = GpuMeter()
    for one in samples:
        meter.add(one)
    return meter.use


def test_busy_time_is_the_share_of_each_interval() -> None:
    found = used(*(sample(device(utilization=share), seconds=2.0) for share in (0.0, 0.5, 1.0)))
    assert found.devices["GPU-0"].busy_seconds == 3.0
    assert found.devices["GPU-0"].measured_seconds == 6.0


def test_energy_is_what_the_counter_of_the_card_rose() -> None:
    found = used(*(sample(device(energy=joules, power=999.0)) for joules in (1000.0, 1300.0, 1500.0)))
    assert found.devices["GPU-0"].energy_joules == 500.0
    assert found.devices["GPU-0"].estimated_joules == 0.0


def test_without_the_counter_energy_is_estimated_from_the_power_and_labelled() -> None:
    total = used(sample(device(power=300.0), seconds=2.0)).devices["GPU-0"]
    assert total.energy_joules == total.estimated_joules == 600.0


def test_a_counter_that_was_reset_is_replaced_by_the_power_once() -> None:
    values = ((5000.0, 100.0), (5100.0, 100.0), (10.0, 100.0), (110.0, 100.0))
    total = used(*(sample(device(energy=joules, power=watts)) for joules, watts in values)).devices["GPU-0"]
    assert total.energy_joules == 300.0
    assert total.estimated_joules == 100.0


def test_samples_without_the_counter_are_estimated_once_and_the_counter_covers_them_later() -> None:
    values = ((1000.0, 300.0), (None, 300.0), (None, None), (1900.0, 300.0), (2200.0, 300.0))
    samples = [sample(device(energy=joules, power=watts), at=float(at)) for at, (joules, watts) in enumerate(values)]
    sums = [used(*samples[:count]).devices["GPU-0"] for count in range(1, 6)]
    assert [one.energy_joules for one in sums] == [0.0, 300.0, 300.0, 900.0, 1200.0]
    assert sums[-1].estimated_joules == 300.0


def test_the_counter_covers_a_restart_of_the_sampling_process() -> None:
    total = used(
        sample(device(energy=1000.0), at=100.0), sample(device(energy=2000.0), at=105.0, seconds=None)
    ).devices["GPU-0"]
    assert total.energy_joules == 1000.0
    assert total.measured_seconds == 0.0


def test_a_gpu_whose_values_are_unknown_is_in_no_sum() -> None:
    found = used(sample(device()))
    assert found.with_utilization == found.with_energy == frozenset()


def test_instances_and_processes_have_sums_of_their_own() -> None:
    mig = sample(device(instances=(instance("MIG-1", utilization=0.5), instance("MIG-2"))))
    found = used(mig, mig, sample(device("GPU-1"), processes=(process(7, 0.25, "GPU-1"), process(8, None, "GPU-1"))))
    assert found.instances["MIG-1"].busy_seconds == 1.0
    assert found.with_utilization == {"MIG-1"}
    assert found.processes[7, "GPU-1"].busy_seconds == 0.25
    assert found.processes[8, "GPU-1"].measured_seconds == 0.0


def test_xid_errors_are_counted_by_number() -> None:
    found = used(sample(device(xids=(79, 31))), sample(device(xids=(31,))))
    assert found.xids == {("GPU-0", 79): 1, ("GPU-0", 31): 2}


def test_the_number_of_processes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meters, "MOST_ENTRIES", 3)
    found = used(*(sample(device(), processes=(process(1, 0.5), process(pid, 0.5))) for pid in range(2, 9)))
    assert set(found.processes) == {(1, "GPU-0"), (7, "GPU-0"), (8, "GPU-0")}  # those without a sample go first


@settings(max_examples=examples(300))
@given(SAMPLES)
def test_sums_never_fall_and_busy_time_is_at_most_the_measured_time(samples: list[GpuSample]) -> None:
    meter = GpuMeter()
    before = (0.0, 0.0, 0.0, 0.0)
    for one in samples:
        meter.add(one)
        total = meter.use.devices["GPU-0"]
        after = (total.measured_seconds, total.busy_seconds, total.energy_joules, total.estimated_joules)
        assert all(math.isfinite(value) and value >= old for value, old in zip(after, before, strict=True))
        assert total.busy_seconds <= total.measured_seconds
        assert total.estimated_joules <= total.energy_joules + 1e-6
        assert meter.use.processes[7, "GPU-0"] == type(total)(total.measured_seconds, total.busy_seconds)
        before = after
    assert before[0] <= sum(one.seconds or 0.0 for one in samples) + 1e-9


@settings(max_examples=examples(100))
@given(SAMPLES, st.integers(0, 30))
def test_the_differences_of_the_sums_add_up_to_the_whole(samples: list[GpuSample], cut: int) -> None:
    meter, between = GpuMeter(), 0.0
    for one in samples[:cut]:
        meter.add(one)
    first = meter.use.devices.get("GPU-0")
    for one in samples[cut:]:
        before = meter.use.devices.get("GPU-0")
        meter.add(one)
        between += meter.use.devices["GPU-0"].busy_seconds - (before.busy_seconds if before else 0.0)
    if samples:
        whole = meter.use.devices["GPU-0"].busy_seconds
        assert whole == pytest.approx((first.busy_seconds if first else 0.0) + between)
