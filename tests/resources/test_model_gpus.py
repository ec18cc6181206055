"""Which visible GPUs count as the model server's, where its processes are hidden or unknown."""

from __future__ import annotations

import pytest

from pilotfish.sidecar.resources.gpu.meter import GpuMeter, GpuUse
from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sample import GpuProblem, GpuSample
from pilotfish.sidecar.resources.model_gpus import (
    ALL,
    DECLARED,
    HIDDEN_PROCESSES,
    NOT_DECLARED,
    UNKNOWN_GPU,
    local_gpu_use,
)
from tests.resources.gpu.made import device, instance, process, sample

SECOND = 10**9


def used(one: GpuSample) -> GpuUse:
    meter = GpuMeter()
    meter.add(one)
    return meter.use


def hidden(uuid: str) -> GpuProblem:
    return GpuProblem(reason=GpuReason.FOREIGN_PROCESS, reading="processes", device=uuid)


def test_only_the_gpu_with_hidden_processes_counts_as_a_whole() -> None:
    one = sample(device("GPU-0", utilization=0.5), device("GPU-1", utilization=1.0), problems=(hidden("GPU-0"),))
    found = local_gpu_use(GpuUse(), used(one), one, {7}, ())
    assert (found.busy_ns, found.card_ns, found.notes) == (SECOND // 2, SECOND, (HIDDEN_PROCESSES,))


@pytest.mark.parametrize("processes", [(), (process(9, 0.3),)])
def test_without_a_visible_process_no_gpu_is_attributed(processes: tuple[object, ...]) -> None:
    one = sample(device(utilization=0.5, energy=1.0), processes=processes, problems=(hidden("GPU-0"),))
    found = local_gpu_use(GpuUse(), used(one), one, (), ())
    assert (found.busy_ns, found.card_ns, found.energy_uj, found.notes) == (None, None, None, (NOT_DECLARED,))


@pytest.mark.parametrize("declared", [("GPU-0",), (ALL,)])
@pytest.mark.parametrize("processes", [(), (process(9, 0.3),)])
def test_a_gpu_that_the_user_names_counts_as_a_whole(declared: tuple[str, ...], processes: tuple[object, ...]) -> None:
    one = sample(device(utilization=0.5), processes=processes)
    found = local_gpu_use(GpuUse(), used(one), one, (), declared)
    assert (found.busy_ns, found.card_ns, found.notes) == (SECOND // 2, SECOND, (DECLARED,))


def test_a_gpu_that_is_named_and_not_visible_is_said() -> None:
    one = sample(device(utilization=0.5), processes=(process(7, 0.5),))
    found = local_gpu_use(GpuUse(), used(one), one, {7}, ("GPU-9",))
    assert (found.busy_ns, found.notes) == (SECOND // 2, (UNKNOWN_GPU,))


def test_all_means_the_instances_of_a_partitioned_card() -> None:
    parts = tuple(instance(f"MIG-{n}", share=2 / 7, utilization=0.5) for n in range(2))
    one = sample(device(power=700.0, mig_enabled=True, instances=parts))
    found = local_gpu_use(GpuUse(), used(one), one, (), (ALL,))
    assert found.busy_ns == pytest.approx(2 * 2 / 7 * 0.5 * SECOND, abs=2)
    assert found.energy_uj == pytest.approx(700e6 * 4 / 7, abs=2)
