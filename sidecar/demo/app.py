"""The command `pilotfish demo`: starts the processes, follows their messages and prints the summary."""

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
from .measurements import accounting_at_rest, model_use, overhead_of
from .messages import AnyMessage, ProcessFailure, reason_of
from .processes import REQUEST_FILE, TIMEOUT, DemoProcesses, fetch_report, prepare, start_processes
from .sandbox import DemoError, Sandbox
from .screen import Screen, save_picture, screen_for
from .state import DemoPlan, DemoState
from .summary import SummaryLine, failed_checks, summarise
from .transitions import add_entry, on_message, on_report
from .wire import INFER_PATH

PLAN = DemoPlan(first_day=92, change_day=116, change_origin="JFK", wanted_days=14, settled_days=8)
POLL_SECONDS = 0.5  # seconds between two requests for the report
REPORT_TIMEOUT = 15.0  # seconds without a report after which the demo gives up
INTERRUPTED = 130  # exit status, as a shell gives it after Ctrl-C

PROMETHEUS_FILE = "prometheus.yml"
PROMETHEUS = """\
global: {{scrape_interval: 5s}}
scrape_configs:
  - job_name: pilotfish
    static_configs:
      - targets: ["{target}"]
        labels: {{namespace: demo, pod: demo}}
"""

Queue = asyncio.Queue[AnyMessage | Report]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish demo`."""
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running at the end, and print the addresses"
    )
    parser.add_argument("--plain", action="store_true", help="print plain lines, as without a terminal")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="save the view during the alarm as an SVG file")


def _busy() -> str:
    """Return a hint if the machine has more than twice the load that its processors can carry; else an empty text."""
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load <= 2 * cores:
        return ""
    return f"; other programs keep this machine busy (load average {load:.0f}, cores: {cores}): try again later"


def run(args: argparse.Namespace) -> int:
    """Run the demo; return 0 when the loop closed and every promise was kept, else 1."""
    console = Console()
    if args.picture is not None and not os.access(args.picture.absolute().parent, os.W_OK):
        raise UsageError(
            f"--picture {quote_value(args.picture)}: its folder is missing or not writable; give another one"
        )
    try:
        return asyncio.run(_interruptible(args, console))
    except DemoError as error:
        console.print(Text(f"the demo failed: {error}{_busy()}", style="bold red"), soft_wrap=True)
        return 1
    except asyncio.CancelledError:
        console.print("interrupted; everything has been stopped")
        return INTERRUPTED


async def _interruptible(args: argparse.Namespace, console: Console) -> int:
    """End in order at the first Ctrl-C, SIGTERM or SIGHUP; ignore further ones."""
    task = asyncio.create_task(_demo(args, console))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, lambda: task.cancelling() or task.cancel())
    return await task


async def _demo(args: argparse.Namespace, console: Console) -> int:
    began = time.monotonic()
    screen = screen_for(console, plain=args.plain)
    async with Sandbox() as sandbox, aiohttp.ClientSession(timeout=TIMEOUT) as client:
        with screen:
            state = add_entry(
                DemoState(PLAN), "training the model on May to July, and building a profile of these rows"
            )
            screen.show(DemoState(PLAN), state)
            prepared = await asyncio.to_thread(prepare, PLAN)
            processes = await start_processes(sandbox, PLAN, prepared)
            before = await model_use(client, processes.admin, processes.token)
            state = await _follow(state, sandbox.messages, processes, client, screen, args.picture)
        await processes.replay.stop()
        while not sandbox.messages.empty():
            item = sandbox.messages.get_nowait()
            state = state if isinstance(item, Report) else on_message(state, item)
        accounting = await accounting_at_rest(client, processes.admin)
        used = before, await model_use(client, processes.admin, processes.token)
        overhead = overhead_of(sandbox.folder / "shared")
        results = summarise(state, accounting, overhead, time.monotonic() - began, used)
        _print_summary(console, results)
        if args.keep:
            await _keep(console, processes, sandbox.folder)
    return 1 if failed_checks(results) else 0


async def _follow(
    state: DemoState,
    queue: Queue,
    processes: DemoProcesses,
    client: aiohttp.ClientSession,
    screen: Screen,
    picture: Path | None,
) -> DemoState:
    """Show every change until the demo is over, and return the last state."""
    looking = asyncio.create_task(_look(queue, processes, client))
    try:
        while not state.over:
            item = await queue.get()
            fresh = on_report(state, item) if isinstance(item, Report) else on_message(state, item)
            screen.show(state, fresh)
            state = fresh
            if picture is not None and isinstance(item, Report) and _shows_drift(state, item):
                save_picture(state, picture)
    finally:
        looking.cancel()
    return state


def _shows_drift(state: DemoState, report: Report) -> bool:
    """Return whether an episode is open; the last reports of the retraining may have the new profile already."""
    return state.phase == "retraining" and any(episode.open for episode in report.episodes)


async def _look(queue: Queue, processes: DemoProcesses, client: aiohttp.ClientSession) -> None:
    """Put the report into `queue` every POLL_SECONDS, or a ProcessFailure when it is unavailable for long."""
    seen = time.monotonic()
    while True:
        try:
            queue.put_nowait(await fetch_report(client, processes.admin, processes.token))
            seen = time.monotonic()
        except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError) as error:
            if time.monotonic() - seen > REPORT_TIMEOUT:
                reason = f"no report for {REPORT_TIMEOUT:.0f} s: {reason_of(error)}; {processes.run.log_tail()}"
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
        console.print(Text(f"not as promised: {', '.join(failed_checks(results))}", style="bold red"), soft_wrap=True)


def prometheus_config(admin: str) -> str:
    """Return a configuration of Prometheus that scrapes the demo with the labels that the dashboards use."""
    return PROMETHEUS.format(target=admin.removeprefix("http://"))


async def _keep(console: Console, processes: DemoProcesses, folder: Path) -> None:
    """Print addresses and files, then wait for Ctrl-C."""
    scrape = folder / PROMETHEUS_FILE
    scrape.write_text(prometheus_config(processes.admin))
    authorised = f'-H "Authorization: Bearer $(cat {folder / "token"})"'
    for line in (
        "",
        "Everything keeps running without traffic until you press Ctrl-C:",
        f"  predict   curl --data @{folder / REQUEST_FILE} {processes.proxy_address}{INFER_PATH}",
        f"  metrics   curl {processes.admin}/metrics",
        f"  report    curl {authorised} {processes.admin}/report",
        f"  graphs    prometheus --config.file={scrape}",
        "            pilotfish dashboards push --url URL_OF_GRAFANA --token-file FILE",
        f"  files     {folder}",
    ):
        console.print(Text(line), soft_wrap=True)
    with suppress(asyncio.CancelledError):  # Ctrl-C
        await asyncio.Event().wait()
