"""Counters: typed keys, one codec to stored names, and totals that survive a restart for names of any length."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.counters import (
    FILE_NAME_BYTES,
    KINDS,
    MEASURED,
    ROWS,
    CounterKey,
    Counters,
    decode,
    encode,
    file_name,
)
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.feedback.journal import LabelJournal
from pilotfish.sidecar.analyzer.persistence import Persistence
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.row_stores import RowStores
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.analyzer.totals_file import SLOTS, TotalsFile
from pilotfish.sidecar.report.schema import CheckpointStatus
from tests.analyzer.made import T0, record, setup

LONG = "fraud-detection/" * 12 + "zürich:2024"
LABEL = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters=":"), min_size=1, max_size=80)


@given(st.sampled_from(sorted(KINDS)), st.lists(LABEL, min_size=2, max_size=2), LABEL)
def test_a_key_is_decoded_from_its_name(kind: str, labels: list[str], end: str) -> None:
    labels = labels[: len(KINDS[kind].labels)]
    if labels:
        labels[-1] += f":{end}"  # the last label may contain a colon
    key = KINDS[kind].key(*labels)
    assert decode(encode(key)) == key


@given(st.text(st.characters(blacklist_categories=["Cs"]), max_size=200))
def test_any_stored_name_is_unchanged_and_fits_into_the_file(name: str) -> None:
    assert encode(decode(name)) == name
    assert len(file_name(name).encode()) <= FILE_NAME_BYTES
    assert file_name(file_name(name)) == file_name(name)


def test_long_names_are_shortened_deterministically_and_stay_distinct() -> None:
    names = [f"rows:input:{LONG}{number}" for number in range(3)]
    assert [file_name(name) for name in names] == [file_name(name) for name in names]
    assert len({file_name(name) for name in names}) == 3
    assert file_name("rows:input:m") == "rows:input:m"


def test_a_wrong_number_of_labels_is_an_error() -> None:
    with pytest.raises(ValueError, match="the counter rows has the labels"):
        ROWS.key("input")


def test_totals_are_read_by_kind() -> None:
    counters = Counters({"rows:prediction:m": 2, "rows:input:a:b": 3, "measured": 5})
    assert counters.of(ROWS) == {("input", "a:b"): 3, ("prediction", "m"): 2}
    assert counters.get(MEASURED.key()) == 5
    assert counters.get(CounterKey("ticks")) == 0


@pytest.mark.parametrize("document_names_it", [True, False])
@pytest.mark.parametrize("checkpoint_is_lost", [True, False])
def test_the_rows_of_a_model_with_a_very_long_name_survive_a_restart(
    tmp_path: Path, document_names_it: bool, checkpoint_is_lost: bool
) -> None:
    settings = setup(model=LONG if document_names_it else "")
    body = record(1, amounts=(0.5, 0.7))
    if not document_names_it:
        body = body._replace(response_body=body.response_body.replace(b'"m"', f'"{LONG}"'.encode()))
        body = body._replace(route=f"POST /v2/models/{LONG}/infer")
    first = Pipeline(settings, ExchangeLedger(7))
    first.handle_record(body, T0)
    rows = first.counters.of(ROWS)
    (model,) = {model for _, model in rows}
    with closing(TotalsFile(tmp_path / "fates")) as totals_file:
        _save(first, totals_file, tmp_path)
    if checkpoint_is_lost:
        (tmp_path / "checkpoint").unlink()
    with closing(TotalsFile(tmp_path / "fates")) as totals_file:
        saved = checkpoint.load(tmp_path / "checkpoint")
        second = Pipeline(settings, ExchangeLedger.of_file(totals_file.read(), 8), saved)
        assert second.ledger.id == 7
        assert sum(second.counters.of(ROWS).values()) == sum(rows.values())
        second.handle_record(body._replace(sequence=2), T0)
        assert second.counters.of(ROWS) == {("input", model): 4, ("prediction", model): 4}
        shown = Publisher(0.0).publish(second, CheckpointStatus(), {}, 1.0).report
        assert {(item.model, item.side, item.rows) for item in shown.rows} == {
            (model, "input", 4),
            (model, "prediction", 4),
        }
        _save(second, totals_file, tmp_path)
        assert totals_file.read() == (7, {file_name(name): amount for name, amount in second.counters.named().items()})


def _save(pipeline: Pipeline, totals_file: TotalsFile, folder: Path) -> None:
    journal, stores = LabelJournal(folder), RowStores(folder, pipeline)
    Persistence(
        pipeline, checkpoint=folder / "checkpoint", journal=journal, stores=stores, totals_file=totals_file
    ).save(time.time())


def test_totals_that_do_not_fit_into_the_file_are_reported(tmp_path: Path) -> None:
    with closing(TotalsFile(tmp_path / "fates")) as totals_file:
        totals_file.write(1, {f"rows:{index}": index for index in range(SLOTS)})
        assert totals_file.problem == ""
        totals_file.write(1, {**{f"rows:{index}": index for index in range(SLOTS)}, "late_rows": 1})
        assert "1 totals, such as 'late_rows', do not fit" in totals_file.problem
        totals_file.write(2, {"late_rows": 2})
        assert totals_file.problem == ""
