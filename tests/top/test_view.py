"""Sorting, filtering and keys."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.top.keys import keys_of
from pilotfish.sidecar.top.rows import SPLITS, Row
from pilotfish.sidecar.top.view import KEYS, LONGEST_FILTER, SORTS, TableView, clamped, matches, press, shown
from tests.support.examples import examples

numbers = st.one_of(st.none(), st.floats(0, 1e6))
rows = st.builds(
    Row,
    namespace=st.sampled_from(["shop", "bank"]),
    model=st.sampled_from(["delays", "Loans", "fraud"]),
    version=st.sampled_from(["", "7", "8"]),
    asked=st.integers(0, 9),
    expected=st.one_of(st.none(), st.integers(0, 9)),
    requests_per_second=numbers,
    p95_seconds=numbers,
    error_ratio=numbers,
    cpu_cores=numbers,
    gpus=numbers,
    cpu_seconds_per_request=numbers,
    cost_per_1000=numbers,
    drift=numbers,
    state=st.sampled_from(["watching", "drift", "no answer 9 s"]),
    tone=st.sampled_from(["good", "warning", "bad"]),
)
views = st.builds(TableView, sort=st.sampled_from(list(SORTS)), reverse=st.booleans())


@settings(max_examples=examples(200))
@given(st.lists(rows, max_size=12), views)
def test_sorting_loses_no_row_and_puts_unknown_values_last(found: list[Row], view: TableView) -> None:
    order = shown(found, view)
    key = SORTS[view.sort]
    assert sorted(map(repr, order)) == sorted(map(repr, found))
    values = [key(row) for row in order]
    known = [value for value in values if value is not None]
    assert values == known + [None] * (len(values) - len(known))
    assert known == sorted(known, reverse=(view.sort != "model") != view.reverse)
    assert shown(order, view) == order, "the order is stable"


@settings(max_examples=examples(200))
@given(st.lists(rows, max_size=12), st.sampled_from(["", "shop", "DELAYS 7", "answer", "loans bank", "nowhere"]))
def test_a_filter_keeps_the_rows_with_each_word(found: list[Row], pattern: str) -> None:
    kept = shown(found, TableView(pattern=pattern))
    for row in found:
        text = f"{row.namespace} {row.model} {row.version} {row.part} {row.state}".lower()
        assert (row in kept) == all(word in text for word in pattern.lower().split())
    assert all(matches(row, pattern) for row in kept)


@settings(max_examples=examples(300))
@given(st.lists(st.binary(max_size=6), max_size=20))
def test_no_input_leads_to_an_invalid_view(received: list[bytes]) -> None:
    view = TableView()
    for key in (key for part in received for key in keys_of(part)):
        view = press(view, key)
        assert view.sort in SORTS
        assert view.split in SPLITS
        assert view.first >= 0
        assert view.pattern.isprintable()
        assert len(view.pattern) <= LONGEST_FILTER


def test_arrows_are_keys_and_unknown_sequences_type_nothing() -> None:
    assert keys_of(b"\x1b[A\x1bOB\x1b[1;5Cq\x1b") == ["up", "down", "q", "escape"]
    assert keys_of("é\r\x7f".encode()) == ["é", "enter", "backspace"]


def test_keys_change_the_view() -> None:
    view = TableView()
    for key in "b", ">", "r", "down":
        view = press(view, key)
    assert (view.split, view.sort, view.reverse, view.first) == ("pod", "p95", True, 1)
    assert press(view, "q").over


def test_while_a_filter_is_typed_keys_are_letters() -> None:
    view = TableView()
    for key in ("/", "q", "b", "backspace", "7", "enter"):
        view = press(view, key)
    assert (view.pattern, view.typing, view.over) == ("q7", False, False)
    assert press(view, "escape").pattern == ""
    assert press(press(view, "/"), "escape").pattern == ""


def test_each_key_has_one_meaning() -> None:
    keys = [key for names, _, _ in KEYS for key in names]
    assert len(set(keys)) == len(keys)


def test_scrolling_ends_with_a_full_screen() -> None:
    assert clamped(TableView(first=50), rows=30, lines=20).first == 10
    assert clamped(TableView(first=50), rows=3, lines=20).first == 0
