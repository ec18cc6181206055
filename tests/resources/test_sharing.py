"""Advice about cards: only from what is known, with its figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from pilotfish.sidecar.resources.gpu.meter import GpuUse, ResourceSum
from pilotfish.sidecar.resources.gpu.sample import DeviceSample, GpuSample, ProcessSample
from pilotfish.sidecar.resources.packing import ModelLoad
from pilotfish.sidecar.resources.sharing import model_load, share_cards
from tests.telemetry.made import page

CARD = DeviceSample(
    uuid="GPU-1", index=0, name="NVIDIA H200", utilization=0.2, memory_utilization=None, sm_utilization=None,
    memory_total=100, memory_used=30, memory_free=70, power=None, power_limit=None, energy=None, temperature=None,
    ecc_corrected=None, ecc_uncorrected=None, xids=(), mig_enabled=None, instances=(),
)  # fmt: skip
OWN, OTHER = 42, 77
LOAD = ModelLoad(in_flight=0.5, p95_seconds=0.1)
HOUR = 3600.0


def process(pid: int, device: str = "GPU-1") -> ProcessSample:
    return ProcessSample(
        pid=pid, device=device, instance=None, memory_used=25, utilization=0.2, memory_utilization=None
    )


def sample(*devices: DeviceSample, processes: tuple[ProcessSample, ...] = (process(OWN),)) -> GpuSample:
    return GpuSample(at=0.0, seconds=1.0, driver="1", devices=devices or (CARD,), processes=processes)


def use(busy: float = 0.2, seconds: float = HOUR, **more: float) -> GpuUse:
    """Return an hour of use of the first card, and of others by UUID."""
    ratios = {"GPU-1": busy, **{name.replace("_", "-"): ratio for name, ratio in more.items()}}
    sums = {uuid: ResourceSum(measured_seconds=seconds, busy_seconds=ratio * seconds) for uuid, ratio in ratios.items()}
    processes = MappingProxyType({(OWN, "GPU-1"): sums["GPU-1"]})
    return GpuUse(devices=MappingProxyType(sums), processes=processes, with_utilization=frozenset(ratios))


def test_an_idle_card_has_an_estimate_and_advice_with_figures() -> None:
    (card,) = share_cards(sample(), use(), {OWN}, LOAD, gpu_hour=2.0)
    assert (card.uuid, card.name, card.measured_seconds, card.idle_ratio) == ("GPU-1", "NVIDIA H200", HOUR, 0.8)
    assert card.idle_cost_per_hour == 1.6
    assert [(user.pid, user.own, user.memory_bytes, user.busy_ratio) for user in card.users] == [(OWN, True, 25, 0.2)]
    packing = card.packing
    assert packing is not None
    assert (packing.partner, packing.busy_ratio, packing.memory_fits) == ("the same load again", 0.4, True)
    assert packing.slowdown == pytest.approx(1.25)
    assert packing.p95_low == pytest.approx(0.11)
    assert packing.p95_high == pytest.approx(0.1333, rel=0.01)
    assert card.advice == "time_slicing"
    for figure in ("20%", "1.0 h", "0.11 s", "0.133 s", "0.1 s", "not known"):
        assert figure in card.text


def test_the_load_of_another_card_of_the_model_is_the_partner() -> None:
    other = replace(CARD, uuid="GPU-2", memory_used=90)
    both = sample(CARD, other, processes=(process(OWN), process(OWN, "GPU-2")))
    first, _ = share_cards(both, use(GPU_2=0.1), {OWN}, LOAD)
    assert first.packing is not None
    assert first.packing.partner == "GPU-2"
    assert first.packing.busy_ratio == pytest.approx(0.3)
    assert first.packing.memory_fits is False
    assert first.advice == "keep"
    assert "memory" in first.text


def test_kernels_that_leave_processors_unused_can_run_together() -> None:
    partly = replace(CARD, sm_utilization=0.05)
    assert share_cards(sample(partly), use(), {OWN}, LOAD)[0].advice == "mps"
    (card,) = share_cards(sample(replace(partly, mig_enabled=False)), use(), {OWN}, LOAD)
    assert card.advice == "mig"
    assert "25%" in card.text
    assert share_cards(sample(replace(CARD, sm_utilization=0.15)), use(), {OWN}, LOAD)[0].advice == "time_slicing"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ((sample(), GpuUse(), LOAD), "no utilization"),
        ((sample(), use(seconds=60.0), LOAD), "10 minutes"),
        ((sample(), use(), None), "no latency is estimated"),
        ((sample(processes=()), use(), LOAD), "no latency is estimated"),
    ],
)
def test_what_is_not_known_gives_no_advice(found: tuple[GpuSample, GpuUse, ModelLoad | None], text: str) -> None:
    (card,) = share_cards(found[0], found[1], {OWN}, found[2])
    assert card.advice == "unknown"
    assert text in card.text


def test_a_busy_or_shared_card_is_kept() -> None:
    assert share_cards(sample(), use(0.7), {OWN}, LOAD)[0].advice == "keep"
    shared = sample(processes=(process(OWN), process(OTHER)))
    (card,) = share_cards(shared, use(), {OWN}, LOAD)
    assert (card.advice, [user.own for user in card.users]) == ("keep", [True, False])
    assert "1 other process" in card.text


def test_a_card_under_mig_is_partitioned_already() -> None:
    (card,) = share_cards(sample(replace(CARD, mig_enabled=True)), GpuUse(), {OWN}, LOAD)
    assert (card.advice, card.idle_ratio) == ("keep", None)


def test_without_a_card_there_is_nothing_to_say() -> None:
    assert share_cards(GpuSample(at=0.0, seconds=None, driver=None), GpuUse(), {OWN}, LOAD) == ()


def test_the_load_of_a_page_leaves_out_probes(tmp_path: Path) -> None:
    found = model_load(page(tmp_path / "page"))
    assert found is None or found.p95_seconds > 0
