"""The analyzer process: analyzer, detection and control loop, in a process of their own that may fail.

The supervisor starts it; it is not a command for users:

    python -m pilotfish.sidecar.run.analyzer_process run|analyze --shared DIR --admin HOST:PORT ...

`run` runs analyzer, sequential detection and control loop in one event loop. `analyze` runs the analyzer alone, as in a
pod, where detection runs elsewhere on the counts of all replicas. A failure here must never affect the proxy.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from ..analyzer.app import App, build
from ..analyzer.options import Options
from ..control import app as control_app
from ..control.loop import ControlLoop
from ..errors import PilotfishError, UsageError
from ..log import set_up
from ..system.limits import lower_priority
from .arguments import add_analyzer_arguments
from .engine import engine
from .restart_policy import STOP_SIGNAL, USAGE

_LOG = logging.getLogger("pilotfish.analyzer")

OOM_SCORE_ADJUST = 500  # when memory is short, the kernel kills this process before the proxy
NICENESS = 10  # otherwise a burst of records takes a CPU core from the proxy for a millisecond
FINAL_DELIVERY_SECONDS = 1.0  # for a running delivery at the end; well below STOP_GRACE_SECONDS of the supervisor


def main(argv: Sequence[str]) -> int:
    """Run the analyzer process for the role `argv[0]`; return its exit status."""
    parser = argparse.ArgumentParser(prog="pilotfish analyzer-process", allow_abbrev=False)
    parser.add_argument("role", choices=("analyze", "run"))
    parser.add_argument("--shared", required=True, type=Path)
    add_analyzer_arguments(parser)
    args = parser.parse_args(argv)
    set_up(args.log_format, args.log_level)
    lower_priority(niceness=NICENESS, oom_score=OOM_SCORE_ADJUST, batch=True)
    try:
        return asyncio.run(_serve(args.role, parse_options(args)))
    except UsageError as error:
        _LOG.error("%s", error)
        return USAGE
    except PilotfishError as error:
        _LOG.error("%s", error)
        return 1


def parse_options(args: argparse.Namespace) -> Options:
    """Return the analyzer's options from the parsed command line."""
    return Options(
        shared=args.shared,
        admin=args.admin,
        document=args.document,
        state=args.state,
        token_file=args.token_file,
        memory_limit=args.memory_limit,
        cluster=args.role == "analyze",
    )


async def _serve(role: str, options: Options) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(STOP_SIGNAL, stop.set)
    if role == "analyze":
        return await build(options).serve(stop)
    app = build(options, engine_factory=engine)
    return await serve_with(build_control_loop(app, options), app, stop)


async def serve_with(control: ControlLoop | None, app: App, stop: asyncio.Event) -> int:
    """Serve the analyzer with the control loop beside it, if there is one; return the exit status."""
    if control is None:
        return await app.serve(stop)
    control_task = asyncio.create_task(control.run(stop))
    try:
        return await app.serve(stop)
    finally:
        stop.set()
        await asyncio.wait({control_task}, timeout=FINAL_DELIVERY_SECONDS)
        control_task.cancel()  # if the receiver does not answer, the event stays pending and is sent after a restart
        await asyncio.gather(control_task, return_exceptions=True)


def build_control_loop(app: App, options: Options) -> ControlLoop | None:
    """Return the control loop for the document; None without a document or without an executor in it."""
    if app.document is None or options.document is None:
        return None
    return control_app.build(
        app.document,
        folder=options.document.parent,
        state=options.state_folder,
        report=lambda: app.report,
        publish=app.set_control,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
