"""The table fits into its terminal, and says without colour what it says with it."""

from __future__ import annotations

from io import StringIO

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from pilotfish.sidecar.top.app import text_lines
from pilotfish.sidecar.top.history import TopSnapshot
from pilotfish.sidecar.top.rows import Row
from pilotfish.sidecar.top.table import figure, screen, seconds, share
from pilotfish.sidecar.top.view import KEYS, TableView
from tests.support.examples import examples
from tests.top.test_view import rows

WHOLE = Row(
    namespace="flights-production", model="arrival-delays", version="2026-11-29", answering=12, asked=12, heard=11,
    expected=12, desired=15, requests_per_second=1234.5, p95_seconds=0.123, error_ratio=0.0123, cpu_cores=12.34,
    gpus=1.234, cpu_seconds_per_request=0.00123, gpu_seconds_per_request=0.000123, cost_per_1000=0.0123, drift=0.12,
    state="1 of 12 no answer 12 s", tone="warning",
)  # fmt: skip


def drawn(found: list[Row], view: TableView, width: int, height: int, *, problems: tuple[str, ...] = ()) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height, color_system=None, legacy_windows=False)
    with console.capture() as captured:
        console.print(screen("pilotfish top: shop", TopSnapshot(problems=problems), found, view, width, height))
    return captured.get().splitlines()


def test_80_columns_hold_what_matters_most() -> None:
    head, line = text_lines([WHOLE], 80)
    for title in ("MODEL", "REQ/S", "P95", "ERR", "DRIFT", "STATE"):
        assert title in head
    assert "1234" in line
    assert "123ms" in line
    assert len(head) <= 80
    assert len(line) <= 80


def test_a_wide_table_has_every_column_in_full() -> None:
    head, line, _ = text_lines([WHOLE, Row(namespace="bank", model="loans")], 400)
    assert head.split() == [
        "NAMESPACE", "MODEL", "REPL", "REQ/S", "P95", "ERR", "CORES", "GPUS", "CPU/REQ", "GPU/REQ", "COST/1000",
        "DRIFT", "STATE",
    ]  # fmt: skip
    assert line.split()[:4] == ["flights-production", "arrival-delays", "2026-11-29", "11/12→15"]
    assert line.endswith("12%  1 of 12 no answer 12 s")


def test_resized_pods_are_shown_where_a_monitor_resizes() -> None:
    head, line = text_lines([msgspec.structs.replace(WHOLE, sized=9)], 400)
    assert line[head.index("SIZED") :].split()[0] == "9/12"


def test_one_namespace_is_not_repeated_in_each_row() -> None:
    assert "NAMESPACE" not in text_lines([WHOLE, WHOLE], 400)[0]


def test_columns_that_nothing_fills_are_left_out_first() -> None:
    plain = Row(model="delays", asked=1, answering=1, cpu_seconds_per_request=0.01, cost_per_1000=1.5, cpu_cores=0.5)
    head, _ = text_lines([plain], 60)
    assert "GPUS" not in head
    assert "COST/1000" in head


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(rows, max_size=30), st.integers(20, 200), st.integers(5, 50), st.booleans())
def test_a_screen_has_the_size_of_the_terminal(found: list[Row], width: int, height: int, typing: bool) -> None:
    lines = drawn(found, TableView(typing=typing, first=3), width, height, problems=("the controller does not answer",))
    assert len(lines) == height
    assert all(cell_len(line) <= width for line in lines)


def test_the_last_line_names_the_keys() -> None:
    last = drawn([WHOLE], TableView(), 80, 24)[-1]
    for keys, _, _ in KEYS:
        assert {*keys, {"up": "↑", "down": "↓"}.get(keys[0], "")} & {*last.split(), *last, *"↑↓"} or keys == ("escape",)
    assert "filter: fraud" in drawn([WHOLE], TableView(pattern="fraud"), 80, 24)[-1]
    assert "Esc clears it" in drawn([WHOLE], TableView(typing=True), 80, 24)[-1]


def test_a_long_list_scrolls() -> None:
    found = [Row(model=f"m{number:02}", requests_per_second=100.0 - number) for number in range(40)]
    lines = drawn(found, TableView(first=10), 80, 24)
    assert lines[2].startswith("m10")
    assert "40 rows, 21 shown" in lines[0]


def test_what_cannot_be_read_is_in_a_line() -> None:
    lines = drawn([WHOLE], TableView(), 200, 24, problems=("drift cannot be read: forbidden",))
    assert lines[1].strip() == "drift cannot be read: forbidden"


def test_an_open_episode_is_a_word() -> None:
    assert "alarm" in text_lines([Row(model="delays", drift=0.7, episodes=1)], 120)[1]
    assert "alarm" in text_lines([Row(model="delays", drift=1.4)], 120)[1]
    assert "70%" in text_lines([Row(model="delays", drift=0.7)], 120)[1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.01234, "0.0123"),
        (12.34, "12.3"),
        (12345.0, "12345"),
        (0.999, "0.999"),
        (6.14e-6, "6.1e-06"),
    ],
)
def test_figures_have_three_digits(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (0.0, "0"), (1.234, "1.23s"), (0.0456, "45.6ms"), (2.5e-5, "25.0µs")]
)
def test_durations_have_a_unit(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_a_small_share_is_not_zero() -> None:
    assert (share(None), share(0.0), share(0.0004), share(0.25)) == ("-", "0%", "<0.1%", "25.0%")
