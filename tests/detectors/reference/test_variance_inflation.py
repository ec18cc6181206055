"""Variance inflation, compared with block sums that are computed one by one."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.batch import Column
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.evalues.bank import LikelihoodRatioBank, build_bank
from pilotfish.detectors.reference.blocks import BlockPartition, block_partitions
from pilotfish.detectors.reference.variance_inflation import variance_inflation

TICKS, ROWS = 400, 10


def material(level: np.ndarray) -> tuple[np.ndarray, NumericBins, LikelihoodRatioBank, list[BlockPartition]]:
    """Bin numbers of rows around a level [TICKS], their bins, alternatives and blocks."""
    ticks = np.repeat(np.arange(TICKS), ROWS)
    values = level[ticks] + np.random.default_rng(1).normal(size=len(ticks))
    bins = NumericBins.from_values(values)
    bin_ids, _ = bins.digitize(Column(values))
    return (
        bin_ids,
        bins,
        build_bank(bins, np.bincount(bin_ids, minlength=bins.size), 0.0),
        block_partitions(ticks, None),
    )


def largest_by_hand(bin_ids: np.ndarray, function: np.ndarray, lengths: list[BlockPartition]) -> float:
    log_h = np.log(function)[bin_ids]
    log_h = log_h - log_h.mean()
    sums = [[log_h[a:b].sum() for a, b in zip(one.starts, one.starts[1:], strict=False)] for one in lengths]
    return max(float(np.square(some).sum() / (log_h**2).sum()) * len(some) / (len(some) - 1) for some in sums)


def test_the_largest_ratio_over_all_lengths_is_found() -> None:
    bin_ids, _, bank, lengths = material(np.random.default_rng(2).normal(size=TICKS) * 0.5)
    found = variance_inflation(bin_ids, bank, lengths).values
    for function, (group, h) in enumerate(zip(bank.groups, bank.h, strict=True)):
        if group == "location":
            assert found[function] == pytest.approx(largest_by_hand(bin_ids, h, lengths), abs=0.002)


def test_blocks_without_rows_add_nothing() -> None:
    bin_ids, _, bank, lengths = material(np.random.default_rng(3).normal(size=TICKS) * 0.5)
    some = [BlockPartition(one.length, np.sort(np.concatenate([one.starts, one.starts[::3]]))) for one in lengths]
    location = np.array(bank.groups) == "location"
    plain, sparse = variance_inflation(bin_ids, bank, lengths).values, variance_inflation(bin_ids, bank, some).values
    assert sparse[location] == pytest.approx(plain[location])


def test_a_cycle_is_no_variation_beside_its_slots_nor_are_day_effects_within_one() -> None:
    slot_of_tick = np.arange(TICKS) // 2 % 10  # a day of 20 ticks and 10 slots
    days = np.repeat(np.random.default_rng(4).normal(size=TICKS // 20) * 0.3, 20)
    bin_ids, bins, bank, lengths = material(1.5 * np.sin(2 * np.pi * slot_of_tick / 10) + days)
    slots = np.repeat(slot_of_tick, ROWS)
    counts = [np.bincount(bin_ids[slots == slot], minlength=bins.size) for slot in range(10)]
    banks = [build_bank(bins, np.sum(counts, axis=0), 0.0, one) for one in counts]
    location = np.array(bank.groups) == "location"
    whole = variance_inflation(bin_ids, bank, lengths).values[location].max()
    beside = variance_inflation(bin_ids, bank, lengths, slots, banks).values[location].max()
    within = variance_inflation(bin_ids, bank, lengths, slots, banks, per_slot=True).values[location].max()
    assert within < beside / 2
    assert beside < whole


@pytest.mark.long
@pytest.mark.parametrize(
    "kind", ["normal", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("rare", "atoms"))]
)
def test_independent_rows_are_rarely_called_dependent(kind: str) -> None:
    dependent = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        values = rng.normal(size=6000)
        if kind != "normal":
            values = np.where(rng.random(6000) < 0.002, -999.0 if kind == "atoms" else np.nan, values)
        bins = NumericBins.from_values(values[np.isfinite(values)])
        bin_ids, _ = bins.digitize(Column(values))
        bank = build_bank(bins, np.bincount(bin_ids, minlength=bins.size), 0.0025)
        found = variance_inflation(bin_ids, bank, block_partitions(np.arange(6000) // 5, None))
        dependent += bool(np.median(found.values) > 1)
    assert dependent <= 3


@pytest.mark.long
def test_v_grows_with_traffic_only_by_effects_that_the_tolerance_does_not_cover() -> None:
    rng = np.random.default_rng(5)
    ticks = np.repeat(np.arange(20_000), 20)
    calm, moved = rng.normal(size=len(ticks)), rng.normal(size=len(ticks)) + 0.3 * rng.normal(size=20_000)[ticks]
    lengths = block_partitions(ticks, None)
    growths = {}
    for name, values in (("calm", calm), ("moved", moved)):
        bins = NumericBins.from_values(values)
        bin_ids, _ = bins.digitize(Column(values))
        bank = build_bank(bins, np.bincount(bin_ids, minlength=bins.size), 0.0025)
        for tolerance in (0.0, 0.0025):
            found = variance_inflation(bin_ids, bank, lengths, tolerance=tolerance)
            location = np.array(bank.groups) == "location"
            assert np.all(found.growth <= found.values)
            growths[name, tolerance] = float(np.median(found.growth[location] / found.values[location]))
    assert growths["calm", 0.0] == 1
    assert growths["calm", 0.0025] < 0.2
    assert growths["moved", 0.0025] > 0.5
