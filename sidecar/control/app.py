"""Composition: the two tables of the control loop, and how a document, a report source and a folder become a loop.

Add a kind of intent by one row in each table. CONTRIBUTING.md has the recipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from random import Random

from ..report.control_status import ControlStatus
from ..report.schema import Report
from ..settings.document import ModelMonitor
from .executor import Executor
from .ledger import IntentLedger
from .loop import ControlLoop
from .observe import build_situation
from .outbox import Outbox
from .policy import Policy
from .retrain import policy as retrain
from .retrain.webhook import WebhookSender, WebhookTarget
from .situation import Situation

OUTBOX_FILE = "outbox.jsonl"


def retrain_executor(monitor: ModelMonitor, folder: Path) -> Executor | None:
    """Return the webhook of the block `retrain`; the secret's path is relative to the document's `folder`."""
    if monitor.spec.retrain is None:
        return None
    webhook = monitor.spec.retrain.webhook
    target = WebhookTarget(webhook.url, folder / webhook.secret_file if webhook.secret_file else None, webhook.timeout)
    return WebhookSender(target, agent=f"pilotfish/{version('pilotfish')}", clock=time.time)


# one row per kind, alphabetically
POLICIES: tuple[Policy, ...] = (retrain.POLICY,)
# one row per kind, alphabetically: makes the executor, or None where the document has no such block
EXECUTORS: Mapping[str, Callable[[ModelMonitor, Path], Executor | None]] = {
    retrain.KIND: retrain_executor,
}


def build(
    monitor: ModelMonitor,
    *,
    folder: Path,
    state: Path,
    report: Callable[[], Report],
    publish: Callable[[ControlStatus], None],
) -> ControlLoop | None:
    """Return the loop for the document `monitor`; None where it asks for no effect, so that there is nothing to decide.

    `folder` is the document's folder, against which its relative paths are resolved; `state` is where the outbox is
    kept; `report` returns the newest Report.
    """
    made = {kind: make(monitor, folder) for kind, make in EXECUTORS.items()}
    executors = {kind: executor for kind, executor in made.items() if executor is not None}
    if not executors:
        return None

    def observe(ledger: IntentLedger, now: float) -> Situation:
        return build_situation(report(), monitor, ledger, now)

    return ControlLoop(
        observe=observe,
        policies=POLICIES,
        executors=executors,
        outbox=Outbox(state / OUTBOX_FILE),
        publish=publish,
        clock=time.time,
        random=Random(),
    )
