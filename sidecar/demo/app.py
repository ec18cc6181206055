"""The role `pilotfish demo`: sets the stage, follows the story, prints the summary."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import aiohttp
import msgspec
from rich.console import Console
from rich.text import Text

from ..errors import UsageError, quote_value
from ..report.schema import Report
from .measurements import accounting_at_rest, overhead_of
from .messages import AnyMessage, ProcessFailure, reason_of
from .processes import REQUEST_FILE, TIMEOUT, DemoProcesses, fetch_report, prepare, start_processes
from .sandbox import DemoError, Sandbox
from .screen import Screen, save_picture, screen_for
from .state import DemoPlan, DemoState
from .summary import SummaryLine, failed_checks, summarise
from .transitions import add_entry, on_message, on_report
from .wire import INFER_PATH

PLAN = DemoPlan(first_day=92, change_day=116, change_origin="JFK", wanted_days=14, settled_days=8)
POLL_SECONDS = 0.5  # seconds between two looks at the report
REPORT_TIMEOUT = 15.0  # seconds without a report after which the demo gives up
INTERRUPTED = 130  # exit status, as a shell gives it after Ctrl-C

Queue = asyncio.Queue[AnyMessage | Report]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish demo`."""
    parser.add_argument("--keep", action="store_true", help="leave everything running at the end and print where it is")
    parser.add_argument("--plain", action="store_true", help="print plain lines, as without a terminal")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save the view during the alarm as an SVG file")


def run(args: argparse.Namespace) -> int:
    """Run the demo; return 0 when the loop has closed and every promise was kept, else 1."""
    console = Console()
    if args.picture is not None and not os.access(args.picture.absolute().parent, os.W_OK):
        raise UsageError(
            f"--picture {quote_value(args.picture)}: its folder is missing or not writable; give another one"
        )
    try:
        return asyncio.run(_interruptible(args, console))
    except DemoError as error:
        console.print(Text(f"the demo failed: {error}", style="bold red"), soft_wrap=True)
        return 1
    except asyncio.CancelledError:
        console.print("interrupted; everything has been stopped")
        return INTERRUPTED


async def _interruptible(args: argparse.Namespace, console: Console) -> int:
    """Turn the first Ctrl-C, SIGTERM or SIGHUP into an orderly end; more of them must not cut that short."""
    task = asyncio.create_task(_demo(args, console))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    return await task


async def _demo(args: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    screen = screen_for(console, plain=args.plain)
    async with Sandbox() as stage, aiohttp.ClientSession(timeout=TIMEOUT) as client:
        with screen:
            story = add_entry(DemoState(PLAN), "training the model on May to July, building the profile of these rows")
            screen.show(DemoState(PLAN), story)
            prepared = await asyncio.to_thread(prepare, PLAN)
            cast = await start_processes(stage, PLAN, prepared)
            story = await _follow(story, stage.messages, cast, client, screen, args.picture)
        await cast.replay.dismiss()
        while not stage.messages.empty():
            item = stage.messages.get_nowait()
            story = story if isinstance(item, Report) else on_message(story, item)
        accounting = await accounting_at_rest(client, cast.admin)
        results = summarise(story, accounting, overhead_of(stage.folder / "shared"), time.monotonic() - began)
        _print_summary(console, results)
        if args.keep:
            await _keep(console, cast, stage.folder)
    return 1 if failed_checks(results) else 0


async def _follow(
    story: DemoState,
    queue: Queue,
    cast: DemoProcesses,
    client: aiohttp.ClientSession,
    screen: Screen,
    picture: Path | None,
) -> DemoState:
    """Return the story at its end, having shown all of it."""
    looking = asyncio.create_task(_look(queue, cast, client))
    try:
        while not story.over:
            item = await queue.get()
            fresh = on_report(story, item) if isinstance(item, Report) else on_message(story, item)
            screen.show(story, fresh)
            story = fresh
            if picture is not None and story.phase == "retraining" and isinstance(item, Report):
                save_picture(story, picture)
    finally:
        looking.cancel()
    return story


async def _look(queue: Queue, cast: DemoProcesses, client: aiohttp.ClientSession) -> None:
    """Put the report into `queue` again and again; a Problem when it cannot be had for long."""
    seen = time.monotonic()
    while True:
        try:
            queue.put_nowait(await fetch_report(client, cast.admin, cast.token))
            seen = time.monotonic()
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            if time.monotonic() - seen > REPORT_TIMEOUT:
                reason = f"no report for {REPORT_TIMEOUT:.0f} s: {reason_of(error)}; {cast.run.log_tail()}"
                queue.put_nowait(ProcessFailure(reason=reason))
        await asyncio.sleep(POLL_SECONDS)


def _print_summary(console: Console, results: list[SummaryLine]) -> None:
    marks = {True: ("ok", "green"), False: ("NO", "bold red"), None: ("", "")}
    console.print()
    for result in results:
        mark, style = marks[result.holds]
        line = Text.assemble((f"{mark:<4}", style), (f"{result.what:<21}", "bold"), result.measured)
        console.print(line, soft_wrap=True)
    if failed_checks(results):
        console.print(Text(f"not kept: {', '.join(failed_checks(results))}", style="bold red"), soft_wrap=True)


async def _keep(console: Console, cast: DemoProcesses, folder: Path) -> None:
    """Say where everything is, and wait for Ctrl-C, which ends the demo with the status that it has earned."""
    authorised = f'-H "Authorization: Bearer $(cat {folder / "token"})"'
    for line in (
        "",
        "still running, without traffic, until Ctrl-C:",
        f"  predict   curl --data @{folder / REQUEST_FILE} {cast.proxy_address}{INFER_PATH}",
        f"  metrics   curl {cast.admin}/metrics",
        f"  report    curl {authorised} {cast.admin}/report",
        f"  files     {folder}",
    ):
        console.print(Text(line), soft_wrap=True)
    with suppress(asyncio.CancelledError):  # this is what it waits for
        await asyncio.Event().wait()
