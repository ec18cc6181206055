"""Composition of the control loop: the tables of policies and executors, and `build`, which returns a loop.

To add a kind of intent, add one row to each table; both must have the same kinds. CONTRIBUTING.md has the recipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
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
from .retrain.secret import secret_problem
from .retrain.webhook import WebhookSender, WebhookTarget
from .situation import Situation

OUTBOX_FILE = "outbox.jsonl"


def retrain_executor(monitor: ModelMonitor, folder: Path) -> Executor | None:
    """Return the webhook of the block `retrain`, or None without this block.

    The path of the secret is relative to `folder`, the folder of the document.
    """
    if monitor.spec.retrain is None:
        return None
    webhook = monitor.spec.retrain.webhook
    target = WebhookTarget(webhook.url, secret_path(monitor, folder), webhook.timeout)
    return WebhookSender(target, agent=f"pilotfish/{version('pilotfish')}", clock=time.time)


def secret_path(monitor: ModelMonitor, folder: Path) -> Path | None:
    """Return the path of the webhook's secret, relative to `folder`; None without one."""
    retrain = monitor.spec.retrain
    return folder / retrain.webhook.secret_file if retrain and retrain.webhook.secret_file else None


# one row per kind, alphabetically
POLICIES: tuple[Policy, ...] = (retrain.POLICY,)
# one row per kind, alphabetically; a row returns the executor, or None if the document lacks the block of this kind
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
    """Return the loop for the document `monitor`; None if the document configures no executor.

    Relative paths in the document are resolved against `folder`. `state` is the folder of the outbox. `report` returns
    the newest Report. `publish` receives the loop's status.
    """
    made = {kind: make(monitor, folder) for kind, make in EXECUTORS.items()}
    executors = {kind: executor for kind, executor in made.items() if executor is not None}
    if not executors:
        return None

    def observe(ledger: IntentLedger, now: float) -> Situation:
        return build_situation(report(), monitor, ledger, now)

    def publish_with_secret(status: ControlStatus) -> None:
        problem = "; ".join(filter(None, (status.problem, secret_problem(secret_path(monitor, folder)))))
        publish(replace(status, problem=problem or None))

    return ControlLoop(
        observe=observe,
        policies=POLICIES,
        executors=executors,
        outbox=Outbox(state / OUTBOX_FILE),
        publish=publish_with_secret,
        clock=time.time,
        random=Random(),
    )
