"""The columns derived from times, texts and arrays: their values in every form, also for hostile input."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column, ColumnData, ColumnType, as_column
from pilotfish.detectors.binning.numeric import to_floats as read
from pilotfish.detectors.conformance import HOSTILE, check_transform
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.transforms import Block, Transform, from_document, to_document
from pilotfish.detectors.transforms.arrays import ArrayTransform, ListTransform, folded
from pilotfish.detectors.transforms.text import TextTransform, text_features
from pilotfish.detectors.transforms.timestamps import TimestampTransform
from tests.detectors.described import ROWS, T0, embeddings, iso, sentences
from tests.support.examples import examples


def apply(transform: Transform, values: ColumnData, at: float | None = None) -> Mapping[str, Column]:
    column = as_column(values)
    rows = len(column.values)
    return transform.apply(Block({transform.inputs[0]: column}, rows, None if at is None else np.full(rows, at)))


def to_floats(column: Column) -> list[float | None]:
    return [value if isinstance(value, float) and not math.isnan(value) else None for value in column.values.tolist()]


@pytest.mark.long
def test_numbers_are_times_where_a_person_says_so() -> None:
    at = T0 + 300.0 * np.arange(ROWS, dtype=np.float64)
    lag = np.random.default_rng(1).lognormal(8, 1, ROWS)
    kinds: dict[str, ColumnType] = {"s": "timestamp", "ms": "timestamp"}
    profile = build_profile({"s": at - lag, "ms": (at - lag) * 1000}, times=at, kinds=kinds)
    units = [transform.unit for transform in profile.transforms if isinstance(transform, TimestampTransform)]
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
    transform = TimestampTransform("when", "input", form, unit, lag=True, hour=True)
    made = apply(transform, Column(np.array([value], dtype=object)), T0)
    values, mismatches = read(made["when:lag"])
    assert mismatches == wrong
    assert math.isnan(values[0]) if lag is None else values[0] == pytest.approx(lag)


def test_hours_are_those_of_utc_and_lags_need_the_rows_times() -> None:
    east = datetime(2024, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))).isoformat()
    transform = TimestampTransform("when", "input", "text", "", lag=True, hour=True)
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


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.text(max_size=30), max_size=8))
def test_shares_are_what_python_counts(texts: list[str]) -> None:
    length, digits, letters, non_ascii, punctuation, spaces, upper, vowels = text_features(texts)
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
    length, *shares = text_features(["a" * 4096 + "!" * 1_000_000, "b c"])
    assert length.tolist() == [1_004_096, 3]
    assert shares[1].tolist() == [1.0, pytest.approx(2 / 3)]


def test_an_array_is_the_same_in_every_form() -> None:
    arrays = embeddings(4, np.random.default_rng(1))
    profile = build_profile({"emb": embeddings(400, np.random.default_rng(2))}, exchangeable=True)
    transform = profile.transforms[0]
    assert isinstance(transform, ArrayTransform)
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


def test_an_array_that_is_sent_as_text_is_read_and_is_a_mismatch() -> None:
    arrays = embeddings(400, np.random.default_rng(2))
    profile = build_profile({"emb": arrays}, exchangeable=True)
    sent = [row.tolist() for row in arrays[:3]]
    texts: list[Any] = [repr(sent[0]), [str(number) for number in sent[1]], f" {sent[2]}", "[1, 2", "[" * 5000, "[1]"]
    counts = TickCounts(profile)
    counts.add(Batch({"emb": texts}, len(texts)))
    as_texts = counts.take()
    counts.add(Batch({"emb": sent}, len(sent)))
    as_numbers = counts.take()
    for name in ("emb:norm", "emb:pc1", "emb:rest"):
        assert as_texts.mismatches[profile.index[name]] == len(texts)
        assert as_texts.of(profile, name)[-1] == 3
        assert as_texts.of(profile, name)[:-1].tolist() == as_numbers.of(profile, name)[:-1].tolist()


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
        ListTransform("c", "prediction"),
        TextTransform("c", "input"),
        *(TimestampTransform("c", "input", form, "", lag=True, hour=True) for form in ("datetime", "number", "text")),
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
        assert to_floats(column) == to_floats(made[name])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=9,
)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(VALUES, max_size=6))
def test_any_value_has_a_bin_and_nothing_raises(values: list[Any]) -> None:
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
    if isinstance(transform, TimestampTransform) and transform.form == "text":
        values = as_column([iso(time) for time in values.values.tolist()])
    check_transform(transform, Block({"c": values}, 300, at))
