"""The member: the process beside the proxy that may fail. Started by the supervisor, never by a person.

    python -m pilotfish.sidecar.run.member run|analyze --shared DIR --admin HOST:PORT ...

`run` puts analyzer, sequential detection and control loop into one event loop; `analyze` is the analyzer alone, as in a
pod, where detection over all replicas happens elsewhere.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from ...detectors.detection.monitor import DriftMonitor
from ...detectors.profile.profile import Profile
from ...detectors.settings import DriftSettings
from ..analyzer.app import App, build
from ..analyzer.options import Options
from ..control.ledger import Ledger
from ..control.loop import ControlLoop
from ..control.outbox import Outbox
from ..control.situation import Situation
from ..control.view import situation_of
from ..control.webhook import Target, Webhook
from ..errors import PilotfishError
from ..settings.document import ModelMonitor, Retrain
from ..system.limits import lower_priority
from .arguments import add_member_arguments

USAGE_STATUS = 2
EXPENDABLE = 500  # when memory is short, the kernel ends this process before the one that carries the traffic
NICENESS = 10  # a burst of records would else take a processor from the proxy for a millisecond
LAST_SECONDS = 1.0  # that a delivery under way has at the end, well within the supervisor's patience
OUTBOX_FILE = "outbox.jsonl"


def main(argv: Sequence[str]) -> int:
    """Run the member for the role that `argv` begins with; return its exit status."""
    parser = argparse.ArgumentParser(prog="pilotfish member", allow_abbrev=False)
    parser.add_argument("role", choices=("analyze", "run"))
    parser.add_argument("--shared", required=True, type=Path)
    add_member_arguments(parser)
    args = parser.parse_args(argv)
    lower_priority(niceness=NICENESS, oom_score=EXPENDABLE, batch=True)
    try:
        return asyncio.run(_serve(args.role, options_of(args)))
    except PilotfishError as error:
        print(f"pilotfish: {error}", file=sys.stderr)
        return USAGE_STATUS


def options_of(args: argparse.Namespace) -> Options:
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
    return await _serve_with(control_of(app, options), app, stop)


async def _serve_with(control: ControlLoop | None, app: App, stop: asyncio.Event) -> int:
    if control is None:
        return await app.serve(stop)
    deciding = asyncio.create_task(control.run(stop))
    try:
        return await app.serve(stop)
    finally:
        stop.set()
        await asyncio.wait({deciding}, timeout=LAST_SECONDS)
        deciding.cancel()  # a receiver that is silent: the event is still pending, and sent again
        await asyncio.gather(deciding, return_exceptions=True)


def control_of(app: App, options: Options) -> ControlLoop | None:
    """Return the control loop that belongs to the document; None without a document, or without a block `retrain`."""
    monitor = app.document
    if monitor is None or monitor.spec.retrain is None or options.document is None:
        return None
    target = target_of(monitor.spec.retrain, options.document.parent)
    webhook = Webhook(target, agent=f"pilotfish/{version('pilotfish')}", clock=time.time)
    return ControlLoop(
        observe=partial(_observe, app, monitor),
        outbox=Outbox(options.state_folder / OUTBOX_FILE),
        send=webhook.send,
        publish=app.set_control,
        clock=time.time,
        random=Random(),
    )


def target_of(retrain: Retrain, folder: Path) -> Target:
    """Return the webhook's target; the secret's path is relative to the document's `folder`."""
    webhook = retrain.webhook
    return Target(webhook.url, folder / webhook.secret_file if webhook.secret_file else None, webhook.timeout)


def _observe(app: App, monitor: ModelMonitor, ledger: Ledger, now: float) -> Situation:
    return situation_of(app.report, monitor, ledger, now)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
