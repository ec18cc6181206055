"""Relations between columns: which are monitored, which broken ones raise an alarm, and which do not."""

from __future__ import annotations

import base64
import json
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column, as_column, missing_mask
from pilotfish.detectors.conformance import HOSTILE, check_state, check_transform
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.detection.results import Alarm
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile.profile import Profile, canonical
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.detectors.transforms import Block, Transform, to_document
from pilotfish.detectors.transforms.relations import RelationTransform
from tests.support.examples import examples

NAMES = ("a", "b", "heavy", "sum", "alone", "other")


def rows(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """`a` and `b` correlated by .8, `sum` almost equal to `heavy`, `alone` and `other` unrelated."""
    a, heavy = rng.normal(size=count), rng.lognormal(1.0, 1.0, size=count)
    return {
        "a": a,
        "b": 0.8 * a + 0.6 * rng.normal(size=count),
        "heavy": heavy,
        "sum": 3 * heavy + 0.2 * rng.normal(size=count),
        "alone": rng.normal(size=count),
        "other": rng.poisson(4.0, size=count),
    }


@cache
def profile() -> Profile:
    return build_profile(rows(20_000, np.random.default_rng(0)), exchangeable=True)


def made(kind: str) -> Transform:
    return next(transform for transform in profile().transforms if transform.kind == kind)


def relations() -> RelationTransform:
    found = made("relations")
    assert isinstance(found, RelationTransform)
    return found


def block(data: dict[str, np.ndarray]) -> Block:
    return Block({name: as_column(values) for name, values in data.items()}, len(next(iter(data.values()))))


def ticks(count: int, seed: int, **changed: object) -> list[Counts]:
    """Ticks of 20 rows; a changed column is a function of its values and the generator."""
    rng, counts, out = np.random.default_rng(seed), TickCounts(profile()), []
    for _ in range(count):
        data = rows(20, rng)
        for name, change in changed.items():
            data[name] = change(data[name], rng)  # type: ignore[operator]
        counts.add(Batch(data, 20))
        out.append(counts.take())
    return out


def monitored(made_ticks: list[Counts]) -> tuple[DriftMonitor, list[Alarm]]:
    monitor = DriftMonitor(profile(), DriftSettings())
    alarms = [alarm for tick, counts in enumerate(made_ticks) for alarm in monitor.close_tick(tick, counts).alarms]
    return monitor, alarms


def permuted(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.permutation(values)


def test_related_columns_have_residuals_and_unrelated_ones_none() -> None:
    residuals = {name for name in relations().outputs if name.startswith("residual:")}
    assert residuals == {"residual:a", "residual:b", "residual:heavy", "residual:sum"}
    assert set(relations().outputs) - residuals == {"mahalanobis", "pca_error"}
    assert profile().partners["residual:a"] == ("b",)
    assert profile().partners["residual:sum"] == ("heavy",)


def test_unrelated_columns_or_few_rows_make_nothing() -> None:
    rng = np.random.default_rng(1)
    alone = {f"x{i}": rng.normal(size=5000) for i in range(5)}
    assert build_profile(alone, exchangeable=True).transforms == ()
    assert build_profile(rows(300, rng), exchangeable=True).transforms == ()


def test_residuals_have_variance_one_and_grow_when_the_relation_breaks() -> None:
    data = rows(20_000, np.random.default_rng(2))
    residual = relations().apply(block(data))["residual:b"].values
    assert residual.var() == pytest.approx(1.0, abs=0.05)
    broken = relations().apply(block({**data, "b": np.random.default_rng(3).permutation(data["b"])}))["residual:b"]
    assert broken.values.var() == pytest.approx(4.56, rel=0.1)


def test_a_broken_relation_is_named_with_its_partners_though_no_column_changed() -> None:
    monitor, alarms = monitored(ticks(20, 4, b=permuted))
    assert [alarm.family for alarm in alarms] == ["multivariate"]
    first = next(feature for feature in alarms[0].features if feature.partners)
    assert alarms[0].tick <= 4
    assert (first.name, first.partners) in {("residual:a", ("b",)), ("residual:b", ("a",))}
    status = {feature.name: feature for feature in monitor.status().features}
    assert status["residual:a"].partners == ("b",)
    assert status["a"].partners == ()


@pytest.mark.long
def test_rows_of_the_reference_raise_no_alarm() -> None:
    for seed in range(3):
        assert monitored(ticks(150, 10 + seed))[1] == []


@pytest.mark.long
def test_a_unit_error_in_one_column_raises_no_alarm_of_its_partners() -> None:
    monitor, alarms = monitored(ticks(60, 5, heavy=lambda values, _: values * 1000))
    assert [(alarm.family, [feature.name for feature in alarm.features]) for alarm in alarms] == [
        ("features", ["heavy"])
    ]
    assert {episode.part_of for episode in monitor.status().episodes} <= {None, alarms[0].episode_id}


@pytest.mark.long
def test_missing_values_are_filled_in_and_leave_the_partners_as_they_were() -> None:
    data = rows(20_000, np.random.default_rng(6))
    gaps = {**data, "a": np.where(np.arange(20_000) % 2 == 0, np.nan, data["a"])}
    found = relations().apply(block(gaps))
    assert np.array_equal(missing_mask(found["residual:a"]), np.isnan(gaps["a"]))
    sums = relations().apply(block(data))["residual:sum"].values
    assert np.abs(found["residual:sum"].values - sums).mean() < 0.02
    assert found["residual:b"].values[::2].var() < 1.0  # what is left of b when a says nothing is scaled as if it did
    assert monitored(ticks(40, 7, alone=lambda values, _: np.full_like(values, np.nan)))[1][0].family == "features"


@pytest.mark.long
def test_a_shift_of_one_column_asks_once_and_names_it() -> None:
    for size in (0.5, 2.0):
        monitor, alarms = monitored(ticks(120, 8, b=lambda values, _, size=size: values + size))
        own = [episode for episode in monitor.status().episodes if episode.part_of is None]
        assert len(own) == 1
        assert "b" in {feature.name for alarm in alarms for feature in alarm.features}
        assert all(alarm.part_of in {None, own[0].id} for alarm in alarms)
        assert [alarm.family for alarm in alarms].count("multivariate") <= 1


@pytest.mark.long
def test_another_relation_that_breaks_later_is_a_cause_of_its_own() -> None:
    made_ticks = ticks(40, 9, b=permuted) + ticks(40, 9, b=permuted, heavy=permuted)
    _, alarms = monitored(made_ticks)
    assert [alarm.part_of for alarm in alarms] == [None, None]
    assert {feature.name.partition(":")[2] for feature in alarms[1].features} & {"heavy", "sum"}


@pytest.mark.long
def test_a_relation_still_broken_long_after_its_episode_raises_an_alarm() -> None:
    both = ticks(40, 21, alone=lambda values, _: values + 3, heavy=permuted)
    settings = DriftSettings(tick_seconds=21_600.0, per_seconds=30 * 86_400.0 * 360)  # a day, and the hold, is 4 ticks
    monitor, alarms = DriftMonitor(profile(), settings), list[Alarm]()
    for tick, counts in enumerate([*both, *ticks(400, 22, heavy=permuted)]):
        alarms += monitor.close_tick(tick, counts).alarms
        if tick == 20:
            state = monitor.state()
            monitor = DriftMonitor.from_state(profile(), settings, state)
    assert [alarm.family for alarm in alarms] == ["features", "multivariate"]
    assert [feature.name for feature in alarms[0].features] == ["alone"]
    ended = next(episode.closed_tick for episode in monitor.status().episodes if episode.family == "features")
    assert ended is not None
    assert alarms[1].tick == ended + 5
    assert alarms[1].part_of is None
    assert {feature.name for feature in alarms[1].features} & {"residual:heavy", "residual:sum"}


def test_collinear_constant_duplicate_and_empty_columns_never_raise() -> None:
    rng = np.random.default_rng(10)
    a = rng.normal(size=2000)
    odd = {
        "a": a,
        "same": a.copy(),
        "thrice": 3 * a + 1,
        "constant": np.ones(2000),
        "empty": np.full(2000, np.nan),
        "mostly": np.where(np.arange(2000) % 10 == 0, a, np.nan),
        "outlier": np.where(np.arange(2000) == 700, 1e300, rng.normal(size=2000)),
        "infinite": np.where(np.arange(2000) % 50 == 0, np.inf, rng.normal(size=2000)),
        "zeros": np.where(np.arange(2000) % 20 == 0, a, 0.0),
        "huge": rng.normal(size=2000) * 1e305,
    }
    found = build_profile(odd, exchangeable=True)
    joint = next(transform for transform in found.transforms if isinstance(transform, RelationTransform))
    assert {"a", "same", "thrice", "outlier"} <= set(joint.inputs)
    assert not {"constant", "empty", "mostly"} & set(joint.inputs)
    assert any("relations" in warning and "mostly" in warning for warning in found.warnings)
    for name in joint.outputs:
        assert found.feature(name).calibration.sum() > 0


@pytest.mark.long
def test_more_columns_than_rows_and_than_are_taken() -> None:
    rng = np.random.default_rng(11)
    common = rng.normal(size=(800, 1))
    wide = {f"x{i:03}": values for i, values in enumerate((common + rng.normal(size=(800, 120))).T)}
    found = build_profile(wide, exchangeable=True)
    joint = next(transform for transform in found.transforms if isinstance(transform, RelationTransform))
    assert len(joint.inputs) == 100
    assert joint.share == 0.5
    assert any("x100" in warning for warning in found.warnings)
    assert len(found.to_bytes()) < 2**20


def test_names_that_columns_have_already_are_not_taken_again() -> None:
    data = rows(4000, np.random.default_rng(12))
    data["mahalanobis"] = data.pop("alone")
    data["cosine:3"] = data.pop("other").astype(float)
    found = build_profile(data, exchangeable=True)
    names = [feature.name for feature in found.features]
    assert len(names) == len(set(names))
    assert Profile.from_bytes(found.to_bytes()).hash == found.hash


def test_a_share_of_the_rows_is_counted_the_same_in_any_batches() -> None:
    data = rows(5000, np.random.default_rng(13))
    whole, parts = TickCounts(profile()), TickCounts(profile())
    whole.add(Batch(data, 5000))
    for start in range(0, 5000, 7):
        stop = min(start + 7, 5000)
        parts.add(Batch({name: values[start:stop].tolist() for name, values in data.items()}, stop - start))
    one, other = whole.take(), parts.take()
    assert np.array_equal(one.bin_counts, other.bin_counts)
    assert 500 < one.of(profile(), "cosine:0").sum() < 750
    assert one.of(profile(), "residual:a").sum() == 5000


@pytest.mark.parametrize("kind", ["relations", "cosines"])
def test_transforms_keep_their_laws_for_hostile_values(kind: str) -> None:
    transform = made(kind)
    check_transform(transform, block(rows(500, np.random.default_rng(14))))
    values = np.empty(len(HOSTILE) * 3, dtype=object)
    for position in range(len(values)):
        values[position] = HOSTILE[position % len(HOSTILE)]
    shifted = {name: Column(np.roll(values, 5 * place)) for place, name in enumerate(NAMES)}
    transform.apply(Block(shifted, len(values)))
    for empty in (np.empty(0), np.full(4, np.nan), np.full(4, np.inf), np.full(4, 1e308), np.zeros((4, 2))):
        check_transform(transform, Block({name: Column(empty) for name in NAMES}, len(empty)))


@given(st.lists(st.lists(st.floats() | st.none() | st.integers(), min_size=6, max_size=6), min_size=1, max_size=8))
@settings(max_examples=examples(60), deadline=None)
def test_any_rows_of_numbers_make_finite_columns(made_rows: list[list[object]]) -> None:
    data = Block({name: as_column([row[i] for row in made_rows]) for i, name in enumerate(NAMES)}, len(made_rows))
    for kind in ("relations", "cosines"):
        for column in made(kind).apply(data).values():
            assert np.isfinite(column.values).all()


def test_a_column_that_is_ignored_raises_no_alarm_through_its_relations() -> None:
    monitor = DriftMonitor(profile(), DriftSettings(ignore=("b",)))
    assert {feature.name for feature in monitor.status().features} == {
        "a", "heavy", "sum", "alone", "other", "residual:heavy", "residual:sum"
    }  # fmt: skip
    for tick, counts in enumerate(ticks(20, 17, b=lambda values, _: values + 2)):
        assert not monitor.close_tick(tick, counts).alarms


@pytest.mark.long
def test_monitors_of_relations_restart_to_the_bit() -> None:
    check_state(profile(), DriftSettings(), ticks(10, 15) + ticks(10, 16, b=permuted), 12)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["relations", "cosines"])
def test_damaged_documents_are_refused_with_the_path(kind: str) -> None:
    whole = profile().document()
    place = next(i for i, item in enumerate(whole["transforms"]) if item["kind"] == kind)
    short = base64.b64encode(b"1234").decode()
    nan = base64.b64encode(np.full(21, np.nan, "<f4").tobytes()).decode()
    wrongs: list[Any] = [None, 7, -1.0, "no base64!", short, nan, [], {}, ["a", "a"], True, ["x"] * 200]
    for key in to_document(made(kind)):
        for wrong in wrongs:
            document = json.loads(canonical(whole))
            document["transforms"][place][key] = wrong
            with pytest.raises(ProfileError, match=r"profile|transforms"):
                Profile.from_bytes(canonical(document))


@pytest.mark.long
def test_a_column_that_live_traffic_never_had_raises_no_alarm_through_its_relations() -> None:
    rng, counting = np.random.default_rng(31), TickCounts(profile())
    monitor = DriftMonitor(profile(), DriftSettings())
    alarms: list[Alarm] = []
    for tick in range(120):
        data = rows(20, rng)
        del data["b"]
        counting.add(Batch(data, 20))
        alarms += monitor.close_tick(tick, counting.take()).alarms
    assert alarms == []
    for tick in range(120, 160):
        counting.add(Batch(rows(20, rng) | {"a": permuted(rows(20, rng)["a"], rng)}, 20))
        alarms += monitor.close_tick(tick, counting.take()).alarms
    assert {feature.name for feature in alarms[0].features} & {"residual:a", "residual:b"}
