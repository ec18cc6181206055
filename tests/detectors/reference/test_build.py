"""Any reference data gives a profile, or an error with the reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch, Column, ColumnData
from pilotfish.detectors.conformance import HOSTILE, check_rows
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.evalues.bank import build_bank
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts

DAY = 86_400.0
RNG = np.random.default_rng(9)
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
ROWS = 400


@pytest.fixture(autouse=True)
def numbers() -> None:
    """Reset the generator, so that no test depends on earlier tests."""
    RNG.bit_generator.state = np.random.default_rng(9).bit_generator.state


def objects(*values: object) -> np.ndarray:
    return np.fromiter((values[i % len(values)] for i in range(ROWS)), dtype=object, count=ROWS)


KINDS: dict[str, tuple[ColumnData, str]] = {
    "floats": (RNG.normal(size=ROWS), "numeric"),
    "integers": (RNG.integers(0, 1000, ROWS), "integer"),
    "integers as floats": (RNG.integers(0, 5, ROWS).astype(float), "integer"),
    "booleans": (RNG.random(ROWS) < 0.5, "boolean"),
    "booleans with gaps": (objects(True, False, None), "boolean"),
    "booleans as text": (objects("True", "False"), "boolean"),
    "text": (objects("a", "b", "c"), "categorical"),
    "numbers as text": (objects("1.5", "2.5", "-3"), "numeric"),
    "codes with leading zeros": (objects("00501", "90210"), "categorical"),
    "text and numbers": (objects("a", 1, 2.0), "categorical"),
    "one number": (np.full(ROWS, 3.0), "constant"),
    "one word": (objects("same"), "constant"),
    "one word with gaps": (objects("same", None), "constant"),
    "one boolean": (np.ones(ROWS, dtype=bool), "constant"),
    "numbers with a mask": (Column(RNG.normal(size=ROWS), RNG.random(ROWS) < 0.2), "numeric"),
    "infinities among numbers": (np.where(RNG.random(ROWS) < 0.1, np.inf, RNG.normal(size=ROWS)), "numeric"),
    "everything at once": (objects(*HOSTILE), "categorical"),
}


@pytest.mark.parametrize("what", KINDS)
def test_kinds_are_inferred(what: str) -> None:
    data, kind = KINDS[what]
    (feature,) = build_profile({"x": data}).features
    assert feature.kind == kind
    assert feature.reference_counts.sum() == ROWS


@pytest.mark.parametrize("what", KINDS)
def test_the_reference_itself_has_its_reference_counts_and_no_alarm(what: str) -> None:
    data, _ = KINDS[what]
    profile = build_profile({"x": data}, exchangeable=True)
    counts = TickCounts(profile)
    counts.add(Batch({"x": data}, ROWS))
    taken = counts.take()
    check_rows(profile, taken)
    assert taken.bin_counts.tolist() == profile.features[0].reference_counts.tolist()
    assert DriftMonitor(profile).close_tick(0, taken).alarms == ()


def test_a_kind_can_be_given() -> None:
    zones = RNG.integers(0, 5, ROWS)
    assert build_profile({"zone": zones}, kinds={"zone": "categorical"}).feature("zone").labels[:2] != ()
    assert build_profile({"zone": zones}, kinds={"zone": "categorical"}).feature("zone").kind == "categorical"


@pytest.mark.parametrize("rows", [1, 2, 3, 9, 31])
def test_tiny_references_make_a_profile_that_says_it_is_blind(rows: int) -> None:
    data: dict[str, ColumnData] = {"x": RNG.normal(size=rows), "c": ["a", "b", None][:1] * rows, "g": [None] * rows}
    profile = build_profile(data)
    assert Profile.from_bytes(profile.to_bytes()).hash == profile.hash
    assert [excluded.name for excluded in profile.excluded] == ["g"]
    assert any("cannot see" in warning for warning in profile.warnings)
    monitor = DriftMonitor(profile)
    counts = TickCounts(profile)
    counts.add(Batch({"x": [5.0, None], "c": ["z", 1]}, 2))
    assert monitor.close_tick(0, counts.take()).alarms == ()
    assert monitor.status().features[0].effects is not None


def test_clocks_and_identifiers_are_left_out_and_listed() -> None:
    rows = 2000
    times = np.sort(RNG.uniform(0, 20 * DAY, rows))
    data: dict[str, ColumnData] = {
        "id": np.arange(rows),
        "month": np.floor(times / (2 * DAY)),
        "stamp": [f"2024-01-01 {i}" for i in range(rows)],
        "token": [f"{hash((i, 1)):x}" for i in range(rows)],
        "x": RNG.normal(size=rows),
    }
    profile = build_profile(data, times=times)
    assert {e.name: e.reason.split(":")[0].split(",")[0] for e in profile.excluded} == {
        "id": "monotone in time", "month": "monotone in time",
        "stamp": "new in every block", "token": "new in every block",
    }  # fmt: skip
    assert profile.columns("input") == tuple(data)
    assert "id" in build_profile(data, times=times, keep={"id"}).index


def test_a_clock_is_found_whatever_the_order_of_the_rows() -> None:
    rows = 1000
    times = RNG.permutation(np.arange(rows) * 600.0)
    profile = build_profile({"when": times + 5, "x": RNG.normal(size=rows)}, times=times)
    assert [excluded.name for excluded in profile.excluded] == ["when"]


def test_dates_as_text_are_left_out_in_any_order_but_a_few_fixed_dates_are_categories() -> None:
    rows = np.arange(3000)
    columns = {
        "cycling": [f"2024-01-{1 + row % 28:02d}T08:00:00+01:00" for row in rows],
        "launch": [("2019-05-01", "2021-09-30", "2023-01-15")[row % 3] for row in rows],
        "words": [("a", "b")[row % 2] for row in rows],
    }
    for exchangeable in (False, True):
        profile = build_profile(columns, exchangeable=exchangeable)
        assert profile.names("input") == ("launch", "words")
        assert profile.excluded[0].reason == "dates or times, of which new ones keep coming"


GROWING: dict[str, Callable[[int], str]] = {
    "batch": lambda row: f"b{row // 200:03d}",
    "date": lambda row: (NEW_YEAR + timedelta(minutes=row)).strftime("%Y-%m-%d"),
    "american date": lambda row: (NEW_YEAR + timedelta(minutes=row)).strftime("%m/%d/%Y"),
    "date in words": lambda row: (NEW_YEAR + timedelta(minutes=row)).strftime("%b %d %Y"),
    "month": lambda row: ("Jan", "Feb", "Mar", "Apr", "May", "Jun")[row // 3334],
    "two lines": lambda row: f"{'AB'[row % 2]}{row // (300 + row % 2)}",
}


@pytest.mark.parametrize("what", GROWING)
def test_labels_that_go_on_are_left_out_however_they_are_spelled(what: str) -> None:
    rows, random = 20_000, np.random.default_rng(2)
    labels, x = [GROWING[what](row) for row in range(rows)], random.normal(size=rows)
    profile = build_profile({what: labels, "x": x}, rows_per_tick=30)
    assert [(e.name, e.reason[:18]) for e in profile.excluded] == [(what, "new in every third")]
    shuffled = random.permutation(rows)
    by_time = build_profile(
        {what: [labels[row] for row in shuffled], "x": x}, times=shuffled.astype(np.float64) * 30.0, tick_seconds=900.0
    )
    assert [e.name for e in by_time.excluded] == [what]


@pytest.mark.parametrize("newcomers", [0, 1, 5])
def test_categories_with_rare_tails_late_newcomers_or_one_change_are_monitored(newcomers: int) -> None:
    rows, random = 6000, np.random.default_rng(2)
    tail = [f"N{min(int(number), 4000)}" for number in random.zipf(1.3, rows)]
    late = [f"new {row % newcomers}" if newcomers and row > 5000 and row % 3 else f"c{row % 7}" for row in range(rows)]
    changed = ["v1" if row < 4000 else "v2" for row in range(rows)]
    profile = build_profile({"tail": tail, "late": late, "changed": changed})
    assert profile.excluded == ()


def test_without_an_order_row_numbers_are_left_out_and_sorted_numbers_reported() -> None:
    rows, random = 1000, np.random.default_rng(2)
    x = random.normal(size=rows)
    data = {"id": np.arange(rows), "drawn id": random.permutation(rows) + 7, "sorted": np.sort(x), "x": x}
    profile = build_profile(data, exchangeable=True)
    assert {e.name: e.reason for e in profile.excluded} == dict.fromkeys(
        ("id", "drawn id"), "counts the rows: new numbers keep coming"
    )
    assert [w for w in profile.warnings if "in no order" in w] == [
        "grows or falls from row to row, though the rows are said to be in no order: sorted"
    ]


def test_underscores_make_no_number() -> None:
    assert build_profile({"x": objects("1_000", "2_000", "3")}).features[0].kind == "categorical"


def test_the_split_is_by_days_when_there_are_ten() -> None:
    rows = 2000
    for days, split in ((9, "rows"), (12, "days")):
        profile = build_profile({"x": RNG.normal(size=rows)}, times=np.linspace(0, days * DAY - 1, rows))
        assert profile.reference.split == split
        assert any("split by rows" in warning for warning in profile.warnings) == (split == "rows")
        assert 0.2 < profile.features[0].training.sum() / rows < 0.4


def test_order_is_taken_from_time_and_does_not_depend_on_the_file() -> None:
    rows = 3000
    times, x = np.sort(RNG.uniform(0, 12 * DAY, rows)), RNG.normal(size=rows)
    shuffled = RNG.permutation(rows)
    one = build_profile({"x": x}, times=times)
    assert build_profile({"x": x[shuffled]}, times=times[shuffled]).hash == one.hash


def test_correlated_columns_get_an_inflation_and_shuffled_ones_none() -> None:
    rows = 20_000
    level = np.repeat(np.cumsum(RNG.normal(size=400)) * 0.3, 50)
    data = {"walk": level + RNG.normal(size=rows), "noise": RNG.normal(size=rows)}
    profile = build_profile(data, rows_per_tick=50)
    assert np.median(profile.feature("walk").variance_inflation) > 20
    assert any("season not covered" in warning for warning in profile.feature("walk").warnings)
    assert np.median(profile.feature("noise").variance_inflation) < 2
    shuffled = build_profile({"walk": RNG.permutation(data["walk"])}, rows_per_tick=50)
    assert np.median(shuffled.feature("walk").variance_inflation) < 2
    assert np.all(build_profile(data, exchangeable=True).feature("walk").variance_inflation == 1)


@pytest.mark.long
def test_independent_rows_show_no_season_however_many_features() -> None:
    rng = np.random.default_rng(21)
    profile = build_profile({f"x{i}": rng.normal(size=8000) for i in range(60)}, rows_per_tick=10)
    assert not any("season" in warning for warning in profile.warnings)


@pytest.mark.parametrize("period", [7, 28, 60])
def test_a_cycle_longer_than_the_longest_block_is_reported(period: int) -> None:
    rng, ticks = np.random.default_rng(22), np.repeat(np.arange(14 * 144), 10)
    x = 0.2 * np.sin(2 * np.pi * ticks / 144 / period) + rng.normal(size=len(ticks))
    profile = build_profile({"x": x}, times=ticks.astype(np.float64) * 600.0, tick_seconds=600.0)
    assert "season not covered: x" in profile.warnings


def test_functions_that_answer_to_the_square_of_a_level_are_tempered_with_it() -> None:
    level = np.repeat(RNG.normal(size=400) * 0.3, 50)
    feature = build_profile({"x": level + RNG.normal(size=20_000)}, rows_per_tick=10).features[0]
    bank = build_bank(feature.bins, feature.training, 0.0025)
    found = {group: feature.variance_inflation[np.array(bank.groups) == group] for group in set(bank.groups)}
    wider, narrower = found["scale"][[0, 2, 4]], found["scale"][[1, 3, 5]]
    assert found["location"].max() > 4
    assert np.all(wider[1:] > narrower[1:])
    assert wider.max() == found["outside"].max() == found["location"].max()
    assert np.all(found["special"] == 1)


def test_neighbouring_codes_keep_their_bins_however_large() -> None:
    codes = [10**8 + i for i in range(6)] * 100
    feature = build_profile({"code": codes, "x": RNG.normal(size=600)}).feature("code")
    bin_ids, _ = feature.bins.digitize(Column(np.array(codes)))
    assert len(set(bin_ids.tolist())) == 6
    rounded, _ = feature.bins.digitize(Column(np.array([0.1, 0.2, 0.3], dtype=np.float32)))
    assert {feature.roles[bin_id] for bin_id in rounded} == {"far"}


def test_values_that_went_through_float32_keep_their_bins() -> None:
    values = np.array([0.1, 0.2, 0.3, 0.7] * 100)
    feature = build_profile({"x": values}).features[0]
    exact, _ = feature.bins.digitize(Column(values))
    rounded, _ = feature.bins.digitize(Column(values.astype(np.float32)))
    assert rounded.tolist() == exact.tolist()


def test_without_time_a_live_tick_may_be_as_long_as_the_longest_block() -> None:
    data = {"x": RNG.normal(size=4000)}
    assert build_profile(data, rows_per_tick=20).reference.rows_per_tick == pytest.approx(20)
    inferred = build_profile(data).reference.rows_per_tick
    assert inferred is not None
    assert 400 <= inferred <= 600


@pytest.mark.long
def test_very_many_categories_stay_bounded() -> None:
    values = [f"user {i}" for i in range(300_000)]
    assert build_profile({"x": RNG.normal(size=300_000), "user": values}).excluded[0].name == "user"
    profile = build_profile({"user": values}, keep={"user"})
    assert len(profile.to_bytes()) < 20_000
    assert profile.n_bins < 100


def test_heavy_and_light_categories_have_bins_and_new_ones_are_unseen() -> None:
    values = [f"c{min(i % 100, i % 7)}" if i % 3 else f"rare {i % 200}" for i in range(6000)]
    feature = build_profile({"c": values}).features[0]
    assert feature.roles.count("value") == 63
    assert feature.roles.count("tail") == 16
    bin_ids, _ = feature.bins.digitize(Column(np.array(["never seen", values[0], "c1"], dtype=object)))
    assert [feature.roles[bin_id] for bin_id in bin_ids] == ["unseen", "tail", "value"]


BAD: dict[str, tuple[dict[str, object], str]] = {
    "no columns": ({"columns": {}}, "at least one column"),
    "no rows": ({"columns": {"x": []}}, "at least one column and one row"),
    "ragged": ({"columns": {"x": [1], "y": [1, 2]}}, "differ in length"),
    "times of another length": ({"times": np.array([1.0])}, "differ in length"),
    "missing times": ({"times": np.array([1.0, np.nan])}, "1 times are missing"),
    "unknown kind": ({"kinds": {"z": "numeric"}}, r"no column is named \['z'\]"),
    "unknown side": ({"sides": {"z": "input"}}, "no column is named"),
    "no time at all": ({"tick_seconds": 0.0}, "tick_seconds must be a positive number"),
    "no rows in a tick": ({"rows_per_tick": 0.0}, "rows_per_tick must be at least 1"),
    "nothing to monitor": ({"columns": {"x": [None, None]}}, "no column can be monitored"),
}


@pytest.mark.parametrize("what", BAD)
def test_unusable_references_are_refused_with_the_reason(what: str) -> None:
    arguments, message = BAD[what]
    with pytest.raises(ProfileError, match=message):
        build_profile(**{"columns": {"x": [1.0, 2.0]}, **arguments})  # type: ignore[arg-type]  # wrong on purpose


def test_progress_is_reported() -> None:
    calls: list[tuple[int, int, str]] = []
    build_profile({"a": [1.0, 2.0], "b": [1.0, 3.0]}, progress=lambda *args: calls.append(args))
    assert calls == [(0, 2, "a"), (1, 2, "b"), (2, 2, "")]
