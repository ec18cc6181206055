"""The state is readable on a terminal of 80 columns, as plain lines, and as a picture in a file."""

from __future__ import annotations

from io import StringIO
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from pilotfish.sidecar.demo.screen import PlainScreen, RichScreen, save_picture, screen_for
from pilotfish.sidecar.demo.state import DemoState
from pilotfish.sidecar.demo.text_lines import new_lines
from pilotfish.sidecar.demo.transitions import fail
from pilotfish.sidecar.demo.view import render, spark
from tests.demo.made import PLAN, day
from tests.demo.test_state import loop, state_after

STEPS = range(len(loop()) + 1)


def drawn(state: DemoState, width: int) -> list[str]:
    console = Console(width=width, file=StringIO(), record=True, force_terminal=True)
    console.print(render(state))
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("step", STEPS)
def test_every_moment_can_be_drawn_and_fits(width: int, step: int) -> None:
    assert max(map(len, drawn(state_after(*loop()[:step]), width))) <= width


def test_the_alarm_stands_out() -> None:
    text = "\n".join(drawn(state_after(*loop()[:9]), 80))
    assert "| alarm" in text
    assert "open: distance" in text
    assert "◀ drifted" in text
    assert "INJECTED" in text


def test_a_failed_demo_shows_its_reason() -> None:
    assert "because" in "\n".join(drawn(fail(state_after(day(92)), "because"), 80))


def test_plain_lines_tell_each_happening_once_and_how_things_stand() -> None:
    states = [state_after(*loop()[:step]) for step in STEPS]
    lines = [line for before, after in pairwise(states) for line in new_lines(before, after)]
    assert sum("ALARM: distance" in line for line in lines) == 1
    assert sum("180 requests/s" in line for line in lines) == 1
    assert all(line.isascii() for line in lines)


def test_without_a_terminal_there_are_plain_lines() -> None:
    out = StringIO()
    screen = screen_for(Console(file=out), plain=False)
    assert isinstance(screen, PlainScreen)
    with screen:
        screen.show(DemoState(PLAN), state_after(day(92)))
    assert "traffic starts" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_a_terminal_gets_the_picture_unless_plain_is_asked_for() -> None:
    console = Console(file=StringIO(), force_terminal=True, width=80, height=30, _environ={"TERM": "xterm"})
    assert isinstance(screen_for(console, plain=False), RichScreen)
    assert isinstance(screen_for(console, plain=True), PlainScreen)
    with screen_for(console, plain=False) as screen:
        screen.show(DemoState(PLAN), state_after(*loop()))


def test_a_saved_picture_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    save_picture(state_after(*loop()[:9]), tmp_path / "view.svg")
    svg = (tmp_path / "view.svg").read_text()
    assert "drifted" in svg
    assert "@import" not in svg
    assert "url(http" not in svg


def test_small_bars_go_from_the_lowest_to_the_highest() -> None:
    assert spark([0.0, 0.5, 1.0, 2.0], 1.0) == "▁▄██"
