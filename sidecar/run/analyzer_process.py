"""The analyzer process: analyzer, detection and control loop, in a process of their own that may fail.

child.py imports this module, with all that is large, after it has set up log and priority.

`run` runs analyzer, sequential detection and control loop in one event loop. `analyze` runs the analyzer alone, as in a
pod, where detection runs elsewhere on the counts of all replicas. A failure here must never affect the proxy.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import threading
from functools import partial
from typing import Any

from ..analyzer.app import App, build
from ..analyzer.node_client import node_peer
from ..analyzer.options import Options
from ..analyzer.sync.options import SyncOptions
from ..control import app as control_app
from ..control.loop import ControlLoop
from ..resources.source import SourceOptions
from ..sync.messages import Pod
from ..system.addresses import parse_address
from ..system.heartbeat import beat
from ..system.workers import started_pool
from ..tasks import cancel_all, keep_running
from .engine import engine
from .restart_policy import RECYCLE, STOP_SIGNAL

BEAT_SECONDS = 1.0
POOL_THREADS = 4  # for calls that would block the event loop: files, large bodies, profiles
FINAL_DELIVERY_SECONDS = 1.0  # for a running delivery at the end; well below STOP_GRACE_SECONDS of the supervisor


def serve(args: argparse.Namespace) -> int:
    """Serve until the supervisor stops the process or it must be recycled; return the exit status.

    The event loop is not closed, because `asyncio.run` would start a thread for that, and wait for ever for one that
    cannot start. The caller ends the process by `os._exit`. Raises MemoryError when memory ran out.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.set_default_executor(started_pool(POOL_THREADS))
    return loop.run_until_complete(_serve(args.role, parse_options(args), args.heartbeat))


def parse_options(args: argparse.Namespace) -> Options:
    """Return the analyzer's options from the parsed command line."""
    return Options(
        shared=args.shared,
        admin=args.admin,
        document=args.document,
        state=args.state,
        admin_hosts=tuple(args.admin_host),
        token_file=args.token_file,
        memory_limit=args.memory_limit,
        cluster=args.role == "analyze",
        control=parse_sync_options(args) if args.control is not None else None,
        resources=parse_source_options(args),
        node=node_peer(args.node, args.node_ca, args.node_token) if args.node is not None else None,
    )


def parse_source_options(args: argparse.Namespace) -> SourceOptions:
    """Return how to find the processes of the model server. The supervisor of this process is the root of Pilotfish."""
    addresses = (parse_address(text, any_host="this machine", unix=True) for text in args.model_address)
    return SourceOptions(
        choice=args.resources,
        pid=args.upstream_pid,
        addresses=tuple(addresses),
        gpus=tuple(args.model_gpu),
        cluster=args.role == "analyze",
        root=os.getppid() if args.heartbeat is not None else os.getpid(),
    )


def parse_sync_options(args: argparse.Namespace) -> SyncOptions:
    """Return the options of the sync from a command line with `--control`."""
    return SyncOptions(
        url=args.control,
        ca_file=args.control_ca,
        token_file=args.control_token,
        monitor=args.monitor or "",
        pod=Pod(namespace=args.pod_namespace, name=args.pod_name, uid=args.pod_uid),
    )


async def _serve(role: str, options: Options, heartbeat: int | None) -> int:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(STOP_SIGNAL, stop.set)
    out_of_memory = stop_without_memory(stop)
    app = build(options, engine_factory=None if role == "analyze" else engine)
    beating = None
    if heartbeat is not None:
        beating = asyncio.create_task(keep_running("the sign of life", partial(_beat, heartbeat, app), stop))
    control = None if role == "analyze" else build_control_loop(app, options)
    status = await serve_with(control, app, stop)
    if beating is not None:
        beating.cancel()
    return RECYCLE if out_of_memory.is_set() else status


async def _beat(heartbeat: int, app: App) -> None:
    """Give a sign of life each second in which event loop and worker have both done something."""
    before = -1
    while True:
        if app.turns != before:
            before = app.turns
            beat(heartbeat)
        await asyncio.sleep(BEAT_SECONDS)


def stop_without_memory(stop: asyncio.Event) -> threading.Event:
    """Set `stop` and the returned event when a callback of the running loop, or a thread, fails with MemoryError.

    The state behind such a callback is unknown, so the process must be recycled, also if memory is free again.
    """
    loop, found, log_thread = asyncio.get_running_loop(), threading.Event(), threading.excepthook

    def in_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        loop.default_exception_handler(context)
        if isinstance(context.get("exception"), MemoryError):
            found.set()
            stop.set()

    def in_thread(args: threading.ExceptHookArgs) -> None:
        log_thread(args)
        if isinstance(args.exc_value, MemoryError):
            found.set()
            loop.call_soon_threadsafe(stop.set)

    loop.set_exception_handler(in_loop)
    threading.excepthook = in_thread
    return found


async def serve_with(control: ControlLoop | None, app: App, stop: asyncio.Event) -> int:
    """Serve the analyzer with the control loop beside it, if there is one; return the exit status."""
    if control is None:
        return await app.serve(stop)
    control_task = asyncio.create_task(keep_running("the control loop", partial(control.run, stop), stop))
    try:
        return await app.serve(stop)
    finally:
        stop.set()
        await asyncio.wait({control_task}, timeout=FINAL_DELIVERY_SECONDS)
        # if the receiver does not answer, the event stays pending and is sent after a restart
        await cancel_all("the control loop", (control_task,))


def build_control_loop(app: App, options: Options) -> ControlLoop | None:
    """Return the control loop for the document; None without a document or without an executor in it."""
    if app.document is None or options.document is None:
        return None
    return control_app.build(
        app.document,
        folder=options.document.parent,
        state=options.state_folder,
        report=lambda: app.report,
        blind=lambda: app.blind_spots,
        publish=app.set_control,
    )
