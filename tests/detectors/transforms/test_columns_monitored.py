"""Times, texts and arrays in a profile: inferred, counted, and drift in them found under the right name."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.family_tables import family_tables
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.quality.monitor import QualityMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from tests.detectors.described import ROWS, T0, Rows, iso, rows_of, sentences


@pytest.fixture(scope="module")
def profile() -> Profile:
    at = T0 + 300.0 * np.arange(ROWS, dtype=np.float64)
    return build_profile(rows_of(ROWS, np.random.default_rng(3), at), times=at, tick_seconds=3600.0)


def test_each_type_is_inferred_and_becomes_features(profile: Profile) -> None:
    assert [transform.kind for transform in profile.transforms[:4]] == ["timestamp", "text", "array", "list"]
    assert profile.excluded == ()
    assert {"booked:lag", "booked:hour", "comment:length", "emb:norm", "emb:pc1", "emb:rest", "tags:count"} <= set(
        profile.index
    )
    assert profile.array_columns == {"emb", "tags"}
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


@pytest.mark.long
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
    first = int((T0 + ROWS * 300.0) // 3600) + 1
    for tick in range(first, first + 24):
        at = tick * 3600.0 + 60.0 * np.arange(60, dtype=np.float64)
        rows = rows_of(60, rng, at)
        if tick >= first + 8:
            change(rows)
        counts = TickCounts(profile)
        counts.add(Batch(rows, 60, at=at))
        alarms = monitor.close_tick(tick, counts.take()).alarms
        assert not (alarms and tick < first + 8), alarms
        if alarms:
            found = [feature.name for alarm in alarms for feature in alarm.features]
            break
    assert names & set(found), found
    assert {name.partition(":")[0] for name in found} == {next(iter(names)).partition(":")[0]}


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


def test_a_column_that_is_ignored_raises_no_alarm_by_what_describes_it(profile: Profile) -> None:
    settings = DriftSettings(ignore=("comment", "emb:rest"))
    weighed = {one.feature.name for table in family_tables(profile, settings) for one in table.features}
    assert not any(name.startswith("comment:") or name == "emb:rest" for name in weighed)
    assert "emb:norm" in weighed


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
    assert np.array_equal(whole.take().bin_counts, parts.take().bin_counts)


def test_large_values_are_counted_before_they_fill_the_memory() -> None:
    profile = build_profile({"comment": sentences(900, np.random.default_rng(1))})
    counts = TickCounts(profile)
    tracemalloc.start()
    try:
        for _ in range(6):
            counts.add(Batch({"comment": ["a b c " * 20_000]}, 1))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 6 * 120_000
    assert counts.take().of(profile, "comment:length").sum() == 6


def test_a_column_may_not_have_the_name_of_what_is_made_of_another() -> None:
    columns = {"c": np.random.default_rng(1).normal(size=(300, 9)), "c:norm": np.arange(300) % 7}
    with pytest.raises(ProfileError, match="a column is named 'c:norm'"):
        build_profile(columns)


def test_values_of_another_type_are_a_finding_of_their_column(profile: Profile) -> None:
    quality, counts = QualityMonitor(profile), TickCounts(profile)
    at = T0 + np.arange(200, dtype=np.float64)
    rows = rows_of(200, np.random.default_rng(1), at)
    rows["comment"][:20] = [7] * 20
    rows["emb"] = [*rows["emb"][:150], *([[1.0]] * 50)]
    batch = Batch(rows, 200, at=at)
    quality.observe(batch)
    counts.add(batch)
    found = quality.close_tick(0, counts.take())
    assert [(item.kind, item.column, item.rows) for item in found] == [
        ("type_change", "emb", 50),
        ("type_change", "comment", 20),
    ]
