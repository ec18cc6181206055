"""Times, texts and arrays as features: what is made of them, and that drift in them is found under the right name."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column, ColumnData, Floats, as_column
from pilotfish.detectors.binning.numeric import numbers as read
from pilotfish.detectors.build import build_profile
from pilotfish.detectors.checks import HOSTILE, check_transform
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.monitor import DriftMonitor
from pilotfish.detectors.profile import ColumnType, Profile
from pilotfish.detectors.quality import QualityWatch
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.tables import family_tables
from pilotfish.detectors.transforms import Block, Transform, from_document, to_document
from pilotfish.detectors.transforms.arrays import Arrays, Lists, folded
from pilotfish.detectors.transforms.text import Text, described
from pilotfish.detectors.transforms.timestamps import Timestamps

ROWS = 2400
T0 = 1_700_000_000.0
WORDS = np.array(
    [
        "the",
        "data",
        "of",
        "a",
        "model",
        "flows",
        "every",
        "night",
        "and",
        "nobody",
        "sees",
        "what",
        "town",
        "river",
        "house",
        "stone",
        "expects",
    ]
)
Rows = dict[str, Any]


def sentences(rows: int, rng: np.random.Generator) -> list[str]:
    return [" ".join(rng.choice(WORDS, rng.integers(4, 20))).capitalize() + "." for _ in range(rows)]


def embeddings(rows: int, rng: np.random.Generator) -> Floats:
    made: Floats = rng.normal(size=(rows, 60)).astype(np.float32) * np.r_[[6.0, 4.0], np.ones(58)].astype(np.float32)
    return made


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def rows_of(rows: int, rng: np.random.Generator, at: Floats) -> Rows:
    return {
        "booked": [iso(time - lag) for time, lag in zip(at, rng.lognormal(8, 1, rows), strict=True)],
        "comment": sentences(rows, rng),
        "emb": embeddings(rows, rng),
        "tags": [["t"] * int(count) for count in rng.poisson(2, rows)],
    }


@pytest.fixture(scope="module")
def profile() -> Profile:
    at = T0 + 300.0 * np.arange(ROWS, dtype=np.float64)
    return build_profile(rows_of(ROWS, np.random.default_rng(3), at), times=at, tick_seconds=3600.0)


def apply(transform: Transform, values: ColumnData, at: float | None = None) -> Mapping[str, Column]:
    column = as_column(values)
    rows = len(column.values)
    return transform.apply(Block({transform.inputs[0]: column}, rows, None if at is None else np.full(rows, at)))


def numbers(column: Column) -> list[float | None]:
    return [value if isinstance(value, float) and not math.isnan(value) else None for value in column.values.tolist()]


def test_each_type_is_inferred_and_becomes_features(profile: Profile) -> None:
    assert [transform.kind for transform in profile.transforms[:4]] == ["timestamp", "text", "array", "list"]
    assert profile.excluded == ()
    assert {"booked:lag", "booked:hour", "comment:length", "emb:norm", "emb:pc1", "emb:rest", "tags:count"} <= set(
        profile.index
    )
    assert profile.arrays == {"emb", "tags"}
    assert Profile.from_bytes(profile.to_bytes()).hash == profile.hash


def html(rows: Rows) -> None:
    rows["comment"] = [f'<p class="c">{text}</p>' for text in rows["comment"]]


def shouted(rows: Rows) -> None:
    rows["comment"] = [text.upper() for text in rows["comment"]]


def mistaken(rows: Rows) -> None:
    rows["comment"] = [text.replace("e", "\u00c3\u00a9") for text in rows["comment"]]


def cut(rows: Rows) -> None:
    rows["comment"] = [text[:30] for text in rows["comment"]]


def emptied(rows: Rows) -> None:
    rows["comment"] = ["" if place % 3 == 0 else text for place, text in enumerate(rows["comment"])]


def russian(rows: Rows) -> None:
    rows["comment"] = ["\u043a\u0442\u043e \u0432\u0438\u0434\u0435\u043b" for _ in rows["comment"]]


def later(rows: Rows) -> None:
    rows["booked"] = [iso(datetime.fromisoformat(text).timestamp() - 86_400) for text in rows["booked"]]


def turned(rows: Rows) -> None:
    rows["emb"] = np.roll(rows["emb"], 30, axis=1)


def moved(rows: Rows) -> None:
    rows["emb"] = rows["emb"] + np.array([8.0] + [0.0] * 59)


def doubled(rows: Rows) -> None:
    rows["tags"] = [tags * 2 for tags in rows["tags"]]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (html, {"comment:punctuation", "comment:length"}),
        (shouted, {"comment:upper"}),
        (mistaken, {"comment:non_ascii"}),
        (cut, {"comment:length", "comment:punctuation"}),
        (emptied, {"comment:length"}),
        (russian, {"comment:non_ascii", "comment:letters"}),
        (later, {"booked:lag"}),
        (turned, {"emb:pc1", "emb:pc2", "emb:rest"}),
        (moved, {"emb:pc1", "emb:norm"}),
        (doubled, {"tags:count"}),
    ],
)
def test_drift_is_found_under_the_name_of_its_column(
    profile: Profile, change: Callable[[Rows], None], names: set[str]
) -> None:
    monitor = DriftMonitor(profile, DriftSettings(tick_seconds=3600.0))
    rng = np.random.default_rng(9)
    found: list[str] = []
    for tick in range(24):
        at = T0 + ROWS * 300.0 + tick * 3600.0 + 60.0 * np.arange(60, dtype=np.float64)
        rows = rows_of(60, rng, at)
        if tick >= 8:
            change(rows)
        counts = TickCounts(profile)
        counts.add(Batch(rows, 60, at=at))
        alarms = monitor.close_tick(tick, counts.take()).alarms
        assert not (alarms and tick < 8), alarms
        if alarms:
            found = [feature.name for alarm in alarms for feature in alarm.features]
            break
    assert names & set(found), found
    assert {name.partition(":")[0] for name in found} == {next(iter(names)).partition(":")[0]}


def test_numbers_are_times_where_a_person_says_so() -> None:
    at = T0 + 300.0 * np.arange(ROWS, dtype=np.float64)
    lag = np.random.default_rng(1).lognormal(8, 1, ROWS)
    kinds: dict[str, ColumnType] = {"s": "timestamp", "ms": "timestamp"}
    profile = build_profile({"s": at - lag, "ms": (at - lag) * 1000}, times=at, kinds=kinds)
    units = [transform.unit for transform in profile.transforms if isinstance(transform, Timestamps)]
    assert units == ["s", "ms"]
    first, second = (profile.feature(f"{name}:lag").reference_counts for name in ("s", "ms"))
    assert first.sum() == second.sum() == ROWS


@pytest.mark.parametrize(
    ("form", "unit", "value", "lag", "wrong"),
    [
        ("text", "", "2023-11-14T22:13:19Z", 1.0, 0),
        ("text", "", "2023-11-14T23:13:19+01:00", 1.0, 0),
        ("text", "", "2023-11-14 22:13:19", 1.0, 0),
        ("text", "", T0 - 1, 1.0, 1),
        ("text", "", "2023-11-14T22:13", 20.0, 0),
        ("text", "", "yesterday", None, 1),
        ("text", "", "9999-12-31", T0 - 253402214400.0, 0),
        ("text", "", None, None, 0),
        ("text", "", True, None, 1),
        ("datetime", "", (T0 - 1) * 1000, 1.0, 0),
        ("datetime", "", "2023-11-14T22:13:19", 1.0, 0),
        ("number", "ms", (T0 - 1) * 1000, 1.0, 0),
        ("number", "ms", "2023-11-14T22:13:19", 1.0, 1),
        ("number", "s", 10**400, None, 1),
    ],
)
def test_a_time_is_read_in_any_form_and_another_form_is_a_mismatch(
    form: str, unit: str, value: Any, lag: float | None, wrong: int
) -> None:
    transform = Timestamps("when", "input", form, unit, lag=True, hour=True)
    made = apply(transform, Column(np.array([value], dtype=object)), T0)
    values, mismatches = read(made["when:lag"])
    assert mismatches == wrong
    assert math.isnan(values[0]) if lag is None else values[0] == pytest.approx(lag)


def test_hours_are_those_of_utc_and_lags_need_the_rows_times() -> None:
    east = datetime(2024, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))).isoformat()
    transform = Timestamps("when", "input", "text", "", lag=True, hour=True)
    made = apply(transform, [east])
    assert made.keys() == {"when:hour"}
    assert made["when:hour"].values.tolist() == [23.0]


def test_dates_have_no_hour_and_a_fixed_date_has_no_lag() -> None:
    at = T0 + 300.0 * np.arange(ROWS, dtype=np.float64)
    days = [iso(time - time % 86_400)[:10] for time in at - np.random.default_rng(1).uniform(0, 1e7, ROWS)]
    fixed = np.full(ROWS, T0 - 5)
    profile = build_profile({"day": days, "launch": fixed}, times=at, kinds={"launch": "timestamp"})
    assert set(profile.index) == {"day:lag"}
    assert [(item.name, item.reason) for item in profile.excluded] == [
        ("launch", "dates or times, of which new ones keep coming")
    ]


IDENTIFIERS: dict[str, Callable[[int], str]] = {
    "uuid": lambda row: f"{row * 7919:08x}-{row:04x}-4000-8000-{row:012x}",
    "hash": lambda row: f"{row * 2654435761 % 2**64:064x}",
    "order": lambda row: f"ORD-{row:06d}",
    "spaced number": lambda row: f"DE {row:04d} {row * 7:06d} {row:08d}",
    "mail": lambda row: f"user{row}@example.org",
    "path": lambda row: f"/data/files/{row:07d}.png",
    "name": lambda row: f"Anna Muster{row}",
}


@pytest.mark.parametrize("form", IDENTIFIERS)
def test_identifiers_are_no_text(form: str) -> None:
    profile = build_profile({"id": [IDENTIFIERS[form](row) for row in range(900)], "x": np.arange(900) % 7})
    assert set(profile.index) == {"x"}
    assert profile.excluded[0].reason.startswith("new in every")


def test_a_few_sentences_that_come_again_are_categories() -> None:
    said = ["all went very well", "this did not go well", "nobody came to see it"]
    profile = build_profile({"answer": [said[row % 3] for row in range(900)]})
    assert profile.feature("answer").kind == "categorical"


def test_sentences_without_spaces_are_text() -> None:
    rng = np.random.default_rng(2)
    texts = ["".join(chr(0x4E00 + int(code)) for code in rng.integers(0, 2000, 20)) for _ in range(900)]
    assert "review:length" in build_profile({"review": texts}).index


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_shares_are_what_python_counts(texts: list[str]) -> None:
    length, digits, letters, non_ascii, punctuation, spaces, upper, vowels = described(texts)
    for place, text in enumerate(texts):
        assert length[place] == len(text)
        ascii_letters = [character for character in text if character.isascii() and character.isalpha()]
        assert (len(text) > 0) == (not math.isnan(letters[place]))
        if text:
            assert letters[place] * len(text) == pytest.approx(len(ascii_letters))
            assert non_ascii[place] * len(text) == pytest.approx(sum(not character.isascii() for character in text))
            assert digits[place] * len(text) == pytest.approx(sum(character in "0123456789" for character in text))
            for share in (punctuation, spaces, upper):
                assert 0 <= share[place] <= 1
            assert 0 <= (letters + digits + non_ascii + punctuation + spaces)[place] <= 1 + 1e-9
        if ascii_letters:
            found = sum(character in "aeiouAEIOU" for character in ascii_letters)
            assert vowels[place] * len(ascii_letters) == pytest.approx(found)


def test_only_the_beginning_of_a_long_text_is_looked_at_but_all_of_it_is_measured() -> None:
    length, *shares = described(["a" * 4096 + "!" * 1_000_000, "b c"])
    assert length.tolist() == [1_004_096, 3]
    assert shares[1].tolist() == [1.0, pytest.approx(2 / 3)]


def test_an_array_is_the_same_in_every_form() -> None:
    arrays = embeddings(4, np.random.default_rng(1))
    profile = build_profile({"emb": embeddings(400, np.random.default_rng(2))}, exchangeable=True)
    transform = profile.transforms[0]
    assert isinstance(transform, Arrays)
    forms: list[ColumnData] = [
        arrays,
        arrays.reshape(4, 2, 30),
        [row.tolist() for row in arrays],
        [row.reshape(20, 3).tolist() for row in arrays],
        Column(np.fromiter([*arrays], dtype=object, count=4)),
    ]
    whole = {name: column.values.tolist() for name, column in apply(transform, arrays).items()}
    assert whole["emb:norm"] == pytest.approx(np.linalg.norm(arrays, axis=1).tolist(), rel=1e-6)
    for form in forms:
        assert {name: column.values.tolist() for name, column in apply(transform, form).items()} == whole
    one_by_one = [apply(transform, arrays[row : row + 1])["emb:pc1"].values.tolist()[0] for row in range(4)]
    assert one_by_one == whole["emb:pc1"]


def test_an_array_of_another_shape_or_with_a_nan_is_a_mismatch_and_missing() -> None:
    good = embeddings(400, np.random.default_rng(2))
    profile = build_profile({"emb": good}, exchangeable=True)
    broken = good[0].copy()
    broken[17] = np.nan
    sent: list[Any] = [good[0], good[0][:-1], broken, "text", 7, None, {"a": 1}, [[1], [2, 3]], good[0].tolist()]
    counts = TickCounts(profile)
    counts.add(Batch({"emb": sent}, len(sent)))
    taken = counts.take()
    norm = profile.index["emb:norm"]
    assert taken.mismatches[norm] == 6
    assert taken.of(profile, "emb:norm")[-1] == 7  # missing: the mismatches, and the one that is not there
    counts.add(Batch({"emb": good[:5, :30]}, 5))
    assert counts.take().mismatches[norm] == 5


def test_images_are_folded_and_looked_at_in_part() -> None:
    rng = np.random.default_rng(4)
    images = rng.integers(0, 255, (60, 3, 80, 80), dtype=np.uint8)
    profile = build_profile({"image": images}, exchangeable=True)
    transform = profile.transforms[0]
    assert transform.share == pytest.approx(2**14 / 19_200)
    assert len(profile.to_bytes()) < 150_000
    made = apply(transform, images)
    assert made["image:mean"].values.tolist() == pytest.approx(images.reshape(60, -1).mean(axis=1).tolist(), rel=1e-6)


@given(st.integers(1, 2000), st.integers(0, 2**32))
def test_folding_keeps_short_arrays_and_lengths_in_expectation(length: int, seed: int) -> None:
    arrays = np.random.default_rng(seed).normal(size=(3, length))
    short = folded(arrays)
    assert short.shape == (3, min(length, 512))
    if length <= 512:
        assert short is arrays
    else:
        assert np.linalg.norm(short, axis=1) == pytest.approx(np.linalg.norm(arrays, axis=1), rel=0.5)


def made_transforms() -> list[Transform]:
    arrays = build_profile({"c": embeddings(300, np.random.default_rng(5))[:, :7]}, exchangeable=True).transforms[0]
    return [
        arrays,
        Lists("c", "prediction"),
        Text("c", "input"),
        *(Timestamps("c", "input", form, "", lag=True, hour=True) for form in ("datetime", "number", "text")),
    ]


@pytest.mark.parametrize("transform", made_transforms(), ids=lambda transform: transform.kind)
@pytest.mark.parametrize("values", [np.fromiter(HOSTILE, dtype=object, count=len(HOSTILE)), np.zeros(0, dtype=object)])
def test_hostile_values_are_one_entry_a_row_and_stay_as_they_were(transform: Transform, values: Any) -> None:
    before = values.tolist()
    made = apply(transform, Column(values, np.arange(len(values)) % 5 == 1), T0)
    assert tuple(made) == transform.outputs
    assert {len(column.values) for column in made.values()} == {len(values)}
    assert all(one is other for one, other in zip(before, values.tolist(), strict=True))
    again = from_document(to_document(transform), "here")
    for name, column in apply(again, Column(values, np.arange(len(values)) % 5 == 1), T0).items():
        assert numbers(column) == numbers(made[name])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=9,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(VALUES, max_size=6))
def test_whatever_comes_has_a_cell_and_nothing_raises(values: list[Any]) -> None:
    for transform in TRANSFORMS_MADE:
        column = Column(np.fromiter(values, dtype=object, count=len(values)))
        made = transform.apply(Block({"c": column}, len(values), np.full(len(values), T0)))
        assert {len(found.values) for found in made.values()} == {len(values)}


TRANSFORMS_MADE = made_transforms()


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "text", "column": 7, "side": "input"},
        {"kind": "text", "column": "c", "side": "label"},
        {"kind": "array", "column": "c", "side": "input", "length": 0, "centre": "", "directions": ""},
        {"kind": "array", "column": "c", "side": "input", "length": 2, "centre": "AAAA", "directions": ""},
        {"kind": "timestamp", "column": "c", "side": "input", "form": "x", "unit": "", "lag": True, "hour": True},
        {"kind": "timestamp", "column": "c", "side": "input", "form": "text", "unit": "h", "lag": True, "hour": True},
    ],
)
def test_a_damaged_document_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises((ProfileError, ValueError)):
        from_document(document, "transforms[0]")


def test_a_column_that_is_ignored_raises_no_alarm_by_what_describes_it(profile: Profile) -> None:
    settings = DriftSettings(ignore=("comment", "emb:rest"))
    weighed = {one.feature.name for table in family_tables(profile, settings) for one in table.features}
    assert not any(name.startswith("comment:") or name == "emb:rest" for name in weighed)
    assert "emb:norm" in weighed


@pytest.mark.parametrize("transform", made_transforms(), ids=lambda transform: transform.kind)
def test_transforms_keep_their_laws(transform: Transform) -> None:
    rng = np.random.default_rng(8)
    at = T0 + np.arange(300.0)
    forms: dict[str, ColumnData] = {
        "array": rng.normal(size=(300, 7)),
        "list": [[1] * int(length) for length in rng.poisson(2, 300)],
        "text": sentences(300, rng),
        "timestamp": at - rng.exponential(50.0, 300),
    }
    values = as_column(forms[transform.kind])
    if isinstance(transform, Timestamps) and transform.form == "text":
        values = as_column([iso(time) for time in values.values.tolist()])
    check_transform(transform, Block({"c": values}, 300, at))


def test_rows_count_the_same_in_any_batches(profile: Profile) -> None:
    rng = np.random.default_rng(7)
    at = T0 + 60.0 * np.arange(2000, dtype=np.float64)
    data = rows_of(2000, rng, at)
    whole, parts = TickCounts(profile), TickCounts(profile)
    whole.add(Batch(data, 2000, at=at))
    for start in range(0, 2000, 7):
        stop = min(start + 7, 2000)
        some = {name: values[start:stop] for name, values in data.items()}
        some["emb"] = [row.tolist() for row in some["emb"]] if start % 2 else some["emb"]
        parts.add(Batch(some, stop - start, at=at[start:stop]))
    assert np.array_equal(whole.take().cells, parts.take().cells)


def test_large_values_are_counted_before_they_fill_the_memory() -> None:
    profile = build_profile({"comment": sentences(900, np.random.default_rng(1))})
    counts = TickCounts(profile)
    for _ in range(6):
        counts.add(Batch({"comment": ["a b c " * 20_000]}, 1))
    assert counts._waiting_rows["input"] < 6
    assert counts.take().of(profile, "comment:length").sum() == 6


def test_a_column_may_not_have_the_name_of_what_is_made_of_another() -> None:
    columns = {"c": np.random.default_rng(1).normal(size=(300, 9)), "c:norm": np.arange(300) % 7}
    with pytest.raises(ProfileError, match="a column is named 'c:norm'"):
        build_profile(columns)


def test_values_of_another_type_are_a_finding_of_their_column(profile: Profile) -> None:
    watch, counts = QualityWatch(profile), TickCounts(profile)
    at = T0 + np.arange(200, dtype=np.float64)
    rows = rows_of(200, np.random.default_rng(1), at)
    rows["comment"][:20] = [7] * 20
    rows["emb"] = [*rows["emb"][:150], *([[1.0]] * 50)]
    batch = Batch(rows, 200, at=at)
    watch.see(batch)
    counts.add(batch)
    found = watch.close_tick(0, counts.take())
    assert [(item.kind, item.column, item.rows) for item in found] == [
        ("type_change", "emb", 50),
        ("type_change", "comment", 20),
    ]
