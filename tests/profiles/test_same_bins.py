"""Build, replay, learn and live traffic read the same rows into the same bins, in every form that the rows may take."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pilotfish.detectors.batch import Batch, Ints
from pilotfish.detectors.binning.numeric import NumericBins
from pilotfish.detectors.cells import MISSING_WORDS, missing_words
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.sidecar.analyzer.decode import DecodedExchange, Hints, decode
from pilotfish.sidecar.profiles.build import ColumnRoles, ProfileIdentity, RowTiming, build, read_table
from pilotfish.sidecar.profiles.replay import cell_options
from pilotfish.sidecar.profiles.replay_rows import columns_of
from pilotfish.sidecar.rows.blocks import RowBlock
from pilotfish.sidecar.rows.table import build_table
from tests.analyzer.decode.exchanges import OIP_PATH, V1_PATH, record, tensor
from tests.support.examples import examples

ROWS, AT_ONCE = 240, 60
NUMBERS = {"count", "number", "texts"}
Row = dict[str, Any]
SENTENCES = (
    "the room was very clean",
    "we waited for a long time",
    "no water in the bath at all",
    "all good and quiet",
)


def _cells(kind: str, random: np.random.Generator, row: int) -> Any:
    """Return a present cell of a column, as a program holds it."""
    match kind:
        case "number":
            return round(float(random.normal(100, 30)), 2)
        case "count":
            return int(random.integers(0, 40))
        case "binary":
            return int(random.integers(0, 2))
        case "flag":
            return bool(random.random() < 0.3)
        case "flag as text":
            return random.choice(["True", "False"]).item()
        case "flag mixed":
            return [True, False, "true", "FALSE", 1, 0][int(random.integers(6))]
        case "texts":
            return f"{random.normal(20, 3):.2f}"
        case "list":
            return random.normal(size=4).round(3).tolist()
        case "spaced":
            return random.choice([" a", "a", "b "]).item()
        case "time":
            return f"2024-03-{int(random.integers(1, 29)):02d}T{int(random.integers(24)):02d}:00:00Z"
        case "zip":
            return random.choice(["00501", "10001", "94105"]).item()
        case "note":
            return f"{random.choice(SENTENCES)} {row}"
        case _:
            return random.choice(["Bern", "Zürich, Nord", 'the "old" town', "NAN", "none"]).item()


KINDS = (
    "binary", "city", "count", "flag", "flag as text", "flag mixed", "list", "note", "number", "spaced", "texts",
    "time", "zip",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A table: its rows, and the words that are added to those that mean missing, or kept as categories."""

    rows: list[Row]
    added: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def words(self) -> frozenset[str]:
        return missing_words(self.added, self.kept)


def made(kinds: Sequence[str], odd: str | bool, added: tuple[str, ...], kept: tuple[str, ...], seed: int) -> Made:
    """Return a table of one column per kind; `odd` takes the place of one number in fifty."""
    random = np.random.default_rng(seed)
    words = [None, "", *sorted(MISSING_WORDS)[:: int(random.integers(1, 9))], " NA ", *added, *kept]
    rows: list[Row] = [{} for _ in range(ROWS)]
    for position, kind in enumerate(kinds):
        gaps = random.random() * 0.4 * random.integers(0, 2)
        for number, row in enumerate(rows):
            value = _cells(kind, random, number)
            if random.random() < gaps:
                value = value if kind == "list" else words[int(random.integers(len(words)))]
            elif odd and kind in NUMBERS and number % 50 == 7:
                value = odd
            row[f"{kind} {position}"] = value
    return Made(rows, added, kept)


def write_csv(table: Made, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table.rows[0]), quoting=csv.QUOTE_MINIMAL)
        writer.writeheader()
        for row in table.rows:
            writer.writerow({n: json.dumps(cell) if isinstance(cell, list) else cell for n, cell in row.items()})


def write_parquet(table: Made, path: Path) -> None:
    """Write a column of several types as texts, since Parquet has no such column."""
    columns: dict[str, list[Any]] = {name: [row[name] for row in table.rows] for name in table.rows[0]}
    for name, values in columns.items():
        if len({type(value) for value in values} - {type(None)}) > 1:
            columns[name] = [None if value is None else str(value) for value in values]
    pq.write_table(pa.table(columns), path)


def as_rows(sent: list[Row]) -> tuple[str, Any]:
    return V1_PATH, {"instances": [{name: value for name, value in row.items() if value is not None} for row in sent]}


def as_lists(sent: list[Row]) -> tuple[str, Any]:
    return V1_PATH, {"instances": [list(row.values()) for row in sent]}


def as_columns(sent: list[Row]) -> tuple[str, Any]:
    return V1_PATH, {"inputs": {name: [row[name] for row in sent] for name in sent[0]}}


def as_tensors(sent: list[Row]) -> tuple[str, Any]:
    return OIP_PATH, {"inputs": [_tensor(name, [row[name] for row in sent]) for name in sent[0]]}


def as_one_tensor(sent: list[Row]) -> tuple[str, Any]:
    data = [list(row.values()) for row in sent]
    return OIP_PATH, {"inputs": [tensor("x", [len(sent), len(data[0])], data, "BYTES")]}


def _tensor(name: str, values: list[Any]) -> dict[str, Any]:
    if isinstance(values[0], list):
        return tensor(name, [len(values), len(values[0])], values)
    types = {type(value) for value in values} - {type(None)}
    datatype = "BOOL" if types == {bool} else "FP64" if types <= {int, float} else "BYTES"
    return tensor(name, [len(values)], values, datatype)


def as_records(sent: list[Row]) -> tuple[str, Any]:
    return "/invocations", {"dataframe_records": sent}


def as_split(sent: list[Row]) -> tuple[str, Any]:
    return "/invocations", {"dataframe_split": {"columns": list(sent[0]), "data": [list(row.values()) for row in sent]}}


def as_own(sent: list[Row]) -> tuple[str, Any]:
    return "/own", sent


FORMS: tuple[Callable[[list[Row]], tuple[str, Any]], ...] = (
    as_columns, as_lists, as_one_tensor, as_own, as_records, as_rows, as_split, as_tensors,
)  # fmt: skip
NAMED = tuple(form for form in FORMS if form not in {as_lists, as_one_tensor})  # rows of lists cannot hold lists


def built(table: Made, path: Path) -> Profile:
    """Return the profile that `profile build` makes of a file."""
    timing = RowTiming(rows_per_tick=10)
    return build(
        path,
        ColumnRoles(),
        timing,
        ProfileIdentity(),
        na=table.added,
        kept_words=table.kept,
        progress=lambda *_: None,
    ).profile


def decoded(sent: list[Row], form: Callable[[list[Row]], tuple[str, Any]], hints: Hints) -> dict[str, Any]:
    """Return the columns that the decoder of a form reads."""
    path, body = form(sent)
    hints = replace(hints, protocol="json") if path == "/own" else hints
    found = decode(record(body, path=path), hints)
    assert isinstance(found, DecodedExchange), (form.__name__, found)
    return dict(found.inputs.columns)


def learned(table: Made) -> Profile:
    """Return the profile of the rows as they are stored for learning."""
    lists = frozenset(name for name, cell in table.rows[0].items() if isinstance(cell, list))
    columns = decoded(table.rows, as_rows, Hints(arrays=lists))
    stored = build_table([RowBlock([1.7e9] * ROWS, columns, {})], ROWS)
    return build_profile(
        {name: stored.columns[name] for name in table.rows[0]}, rows_per_tick=10, missing_words=table.words
    )


def live(profile: Profile, table: Made, form: Callable[[list[Row]], tuple[str, Any]]) -> Counts:
    """Return the counts of the rows when they arrive in requests of one form."""
    counts = TickCounts(profile)
    hints = Hints(inputs=profile.columns("input"), arrays=profile.array_columns)
    for start in range(0, ROWS, AT_ONCE):
        sent = table.rows[start : start + AT_ONCE]
        counts.add(Batch(decoded(sent, form, hints), len(sent)))
    return counts.take()


def replayed(profile: Profile, path: Path) -> Counts:
    """Return the counts of a file when it is replayed."""
    counts = TickCounts(profile)
    table = read_table(path, ColumnRoles(), cell_options(profile), lambda *_: None)
    counts.add(Batch(columns_of(profile, table), ROWS))
    return counts.take()


def assert_same(profile: Profile, counts: Counts, what: str) -> None:
    for feature in profile.features:
        expected: Ints = feature.reference_counts
        found = counts.of(profile, feature.name)
        if feature.family != "multivariate":
            assert dict(zip(feature.labels, found.tolist(), strict=True)) == dict(
                zip(feature.labels, expected.tolist(), strict=True)
            ), (what, feature.name)


@pytest.mark.long
@settings(max_examples=examples(60))
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    odd=st.sampled_from(["", "error", "12 kg", "1.2.3", "true", True]),
    added=st.sampled_from([(), ("?",), ("?", "missing")]),
    kept=st.sampled_from([(), ("NA",), ("None", "null")]),
    seed=st.integers(0, 2**16),
)
@example(kinds=KINDS, odd="error", added=("?",), kept=("NA",), seed=1)
@example(kinds=KINDS, odd="", added=(), kept=(), seed=2)
def test_the_same_rows_fall_into_the_same_bins(
    tmp_path_factory: pytest.TempPathFactory,
    kinds: Sequence[str],
    odd: str | bool,
    added: tuple[str, ...],
    kept: tuple[str, ...],
    seed: int,
) -> None:
    table = made(("number", *kinds), odd, added, kept, seed)
    folder = tmp_path_factory.mktemp("same")
    files = {"CSV": folder / "rows.csv", "Parquet": folder / "rows.parquet"}
    write_csv(table, files["CSV"])
    write_parquet(table, files["Parquet"])
    profiles = {name: built(table, path) for name, path in files.items()} | {"learned": learned(table)}
    for origin, profile in profiles.items():
        for name, path in files.items():
            counts = replayed(profile, path)
            assert_same(profile, counts, f"{origin} profile, replay of {name}")
            if odd is not True:  # a boolean among numbers is one more number in JSON, and a text in a file
                assert counts.mismatches.tolist() == [feature.mismatches for feature in profile.features]
        for form in FORMS if "list" not in kinds else NAMED:
            assert_same(profile, live(profile, table, form), f"{origin} profile, {form.__name__}")
    found = {
        origin: {f.name: (f.kind, f.bins.labels) for f in profile.features} for origin, profile in profiles.items()
    }
    assert found["CSV"] == found["Parquet"] == found["learned"]


def test_text_that_was_text_in_the_reference_is_no_type_change() -> None:
    table = made(("texts",), "error", (), (), 3)
    profile = learned(table)
    counts = live(profile, table, as_rows)
    assert profile.text_numbers == ("texts 0",)
    assert counts.mismatches.tolist() == [len(range(7, ROWS, 50))]
    assert [isinstance(feature.bins, NumericBins) for feature in profile.features] == [True]
