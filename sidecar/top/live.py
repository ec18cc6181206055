"""Runs the table: polls, reads keys, and paints; or prints one table.

Three tasks share a `_State`: one polls, one reads keys, one paints once a second and after each change. Whatever ends
them, the terminal gets back its screen, its cursor and its mode.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass, field

from rich.console import Console
from rich.control import Control
from rich.screen import Screen

from .history import PollHistory
from .keys import keys_of
from .rows import rows
from .source import Source
from .table import screen
from .terminal_mode import keys_at_once
from .view import TableView, press

REPAINT = 1.0  # seconds; ages change with time
KEYBOARD = 0  # the descriptor of standard input; the stream may be closed
MAX_KEYS = 256  # bytes of one read
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@dataclass
class _State:
    view: TableView
    history: PollHistory = field(default_factory=PollHistory)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    received: int = 0  # the signal that ends the program; 0 for none


async def collect(source: Source, seconds: float) -> PollHistory:
    """Poll twice, `seconds` apart, so that there are rates."""
    history = PollHistory().after(await source.poll())
    await asyncio.sleep(seconds)
    return history.after(await source.poll())


async def run_live(source: Source, view: TableView, interval: float, console: Console) -> int:
    """Show the table until the user quits; return the exit status: 0, or 128 plus the signal that ended it."""
    state = _State(view)
    loop = asyncio.get_running_loop()
    for number in ENDING:
        loop.add_signal_handler(number, _end, state, number)
    loop.add_signal_handler(signal.SIGTSTP, _end, state, signal.SIGTSTP)
    loop.add_signal_handler(signal.SIGWINCH, state.changed.set)
    poller = asyncio.create_task(_poll(state, source, interval))
    try:
        await _show(state, source, console, poller)
        while state.received == signal.SIGTSTP:  # the terminal is restored
            state.received = 0
            os.kill(os.getpid(), signal.SIGSTOP)
            await _show(state, source, console, poller)
    finally:
        poller.cancel()
    return 128 + state.received if state.received else 0


async def _show(state: _State, source: Source, console: Console, poller: asyncio.Task[None]) -> None:
    """Paint on a screen of its own, and read keys, until the user quits or a signal arrives."""
    loop = asyncio.get_running_loop()
    with keys_at_once(KEYBOARD) as has_keys, console.screen(hide_cursor=True):
        if has_keys:
            loop.add_reader(KEYBOARD, _read_keys, state)
        try:
            await _paint(state, source, console, poller)
        finally:
            if has_keys:
                loop.remove_reader(KEYBOARD)


def _end(state: _State, number: int) -> None:
    state.received = number
    state.changed.set()


def _read_keys(state: _State) -> None:
    received = os.read(KEYBOARD, MAX_KEYS)
    if not received:  # the terminal is gone
        _end(state, signal.SIGHUP)
    for key in keys_of(received):
        state.view = press(state.view, key)
    state.changed.set()


async def _poll(state: _State, source: Source, interval: float) -> None:
    while True:
        begin = time.monotonic()
        state.history = state.history.after(await source.poll())
        state.changed.set()
        await asyncio.sleep(max(0.0, begin + interval - time.monotonic()))


async def _paint(state: _State, source: Source, console: Console, poller: asyncio.Task[None]) -> None:
    """Paint until the user quits, or until polling fails for good."""
    while not (state.view.over or state.received):
        width, height = console.size = os.get_terminal_size(sys.stdout.fileno())  # $COLUMNS does not follow a window
        snapshot = state.history.snapshot(time.monotonic())
        picture = screen(source.title, snapshot, rows(snapshot, state.view.split), state.view, width, height)
        with console:  # one write, so that the terminal shows no half picture
            console.control(Control.home())
            console.print(Screen(picture), end="")
        waiting = asyncio.create_task(state.changed.wait())
        await asyncio.wait({waiting, poller}, timeout=REPAINT, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if poller.done():
            await poller  # raises what ended it
        state.changed.clear()
