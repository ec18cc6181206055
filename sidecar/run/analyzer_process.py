"""The analyzer process: the process beside the proxy that may fail. Started by the supervisor, never by a person.

    python -m pilotfish.sidecar.run.analyzer_process run|analyze --shared DIR --admin HOST:PORT ...

`run` puts analyzer, sequential detection and control loop into one event loop; `analyze` is the analyzer alone, as in a
pod, where detection over all replicas happens elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...detectors.detection.monitor import DriftMonitor
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ..analyzer.app import App, build
from ..analyzer.options import Options
from ..control import app as control_app
from ..control.loop import ControlLoop
from ..errors import PilotfishError
from ..system.limits import lower_priority
from .arguments import add_analyzer_arguments

USAGE_STATUS = 2
OOM_SCORE_ADJUST = 500  # when memory is short, the kernel ends this process before the one that carries the traffic
NICENESS = 10  # a burst of records would else take a processor from the proxy for a millisecond
FINAL_DELIVERY_SECONDS = 1.0  # that a delivery under way has at the end, well within the supervisor's patience


def main(argv: Sequence[str]) -> int:
    """Run the analyzer process for the role that `argv` begins with; return its exit status."""
    parser = argparse.ArgumentParser(prog="pilotfish analyzer-process", allow_abbrev=False)
    parser.add_argument("role", choices=("analyze", "run"))
    parser.add_argument("--shared", required=True, type=Path)
    add_analyzer_arguments(parser)
    args = parser.parse_args(argv)
    lower_priority(niceness=NICENESS, oom_score=OOM_SCORE_ADJUST, batch=True)
    try:
        return asyncio.run(_serve(args.role, parse_options(args)))
    except PilotfishError as error:
        print(f"pilotfish: {error}", file=sys.stderr)
        return USAGE_STATUS


def parse_options(args: argparse.Namespace) -> Options:
    """Return the analyzer's options."""
    return Options(
        shared=args.shared,
        admin=args.admin,
        document=args.document,
        state=args.state,
        token_file=args.token_file,
        memory_limit=args.memory_limit,
    )


def engine(profile: Profile, settings: DriftSettings, state: dict[str, Any] | None) -> DriftMonitor:
    """Return the sequential detectors for `profile`, as they were when `state` was taken."""
    return DriftMonitor.from_state(profile, settings, state) if state else DriftMonitor(profile, settings)


async def _serve(role: str, options: Options) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if role == "analyze":
        return await build(options).serve(stop)
    app = build(options, engine_factory=engine)
    return await _serve_with(build_control_loop(app, options), app, stop)


async def _serve_with(control: ControlLoop | None, app: App, stop: asyncio.Event) -> int:
    if control is None:
        return await app.serve(stop)
    deciding = asyncio.create_task(control.run(stop))
    try:
        return await app.serve(stop)
    finally:
        stop.set()
        await asyncio.wait({deciding}, timeout=FINAL_DELIVERY_SECONDS)
        deciding.cancel()  # a receiver that is silent: the event is still pending, and sent again
        await asyncio.gather(deciding, return_exceptions=True)


def build_control_loop(app: App, options: Options) -> ControlLoop | None:
    """Return the control loop that belongs to the document; None where there is no document or nothing to decide."""
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
