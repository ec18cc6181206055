"""Composition of the control loop: the tables of policies and executors, and `build`, which returns a loop.

To add a kind of intent, add one row to each table; both must have the same kinds. CONTRIBUTING.md has the recipe.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from random import Random

from ..report.control_status import ControlStatus
from ..report.schema import BlindSpot, Report
from ..settings.document import ModelMonitor
from ..settings.webhooks import Webhook, receiver_id, shown_receiver
from .executor import Executor
from .file_outbox import FileOutbox
from .ledger import IntentLedger, lane_of
from .loop import ControlLoop
from .notify import policy as notify
from .notify import slack
from .notify.clock import BlindClock
from .observe import build_situation
from .outbox_file import OutboxFile
from .policy import Policy
from .retrain import policy as retrain
from .situation import Situation
from .webhook.files import file_problems, secret_path, url_source
from .webhook.sender import Message, WebhookSender, WebhookTarget, structured

OUTBOX_FILE = "outbox.jsonl"
FORMS: Mapping[str, Callable[[str], Message]] = {"generic": structured, "slack": slack.message}


@dataclass(frozen=True, slots=True)
class Lane:
    """The executor of one lane, and its receiver for people."""

    executor: Executor
    receiver: str


def notify_lanes(monitor: ModelMonitor, folder: Path) -> dict[str, Lane]:
    """Return a webhook for each receiver of notifications."""
    found = {}
    for index, item in enumerate(monitor.spec.notify):
        path, form = f"spec.notify[{index}].webhook", FORMS[item.webhook.format]
        lane = lane_of(notify.KIND, receiver_id(item))
        found[lane] = Lane(_sender(path, item.webhook, folder, form), item.name or shown_receiver(item.webhook))
    return found


def retrain_lanes(monitor: ModelMonitor, folder: Path) -> dict[str, Lane]:
    """Return the webhook of the block `retrain`; nothing without one."""
    if monitor.spec.retrain is None or monitor.spec.retrain.webhook is None:
        return {}
    webhook = monitor.spec.retrain.webhook
    return {retrain.KIND: Lane(_sender("spec.retrain.webhook", webhook, folder, structured), shown_receiver(webhook))}


def _sender(path: str, webhook: Webhook, folder: Path, form: Callable[[str], Message]) -> WebhookSender:
    target = WebhookTarget(url_source(webhook, folder), secret_path(webhook, folder), webhook.timeout, path, form)
    return WebhookSender(target, agent=f"pilotfish/{version('pilotfish')}", clock=time.time)


# one row per kind, alphabetically
POLICIES: tuple[Policy, ...] = (notify.POLICY, retrain.POLICY)
# one row per kind, alphabetically; a row returns the lanes that the document in a folder configures
LANES: Mapping[str, Callable[[ModelMonitor, Path], Mapping[str, Lane]]] = {
    notify.KIND: notify_lanes,
    retrain.KIND: retrain_lanes,
}


def build(
    monitor: ModelMonitor,
    *,
    folder: Path,
    state: Path,
    report: Callable[[], Report],
    blind: Callable[[], Iterable[BlindSpot]],
    publish: Callable[[ControlStatus], None],
) -> ControlLoop | None:
    """Return the loop for the document `monitor`; None if the document configures no executor.

    Relative paths in the document are resolved against `folder`. `state` is the folder of the outbox. `report` returns
    the newest Report, `blind` the present blind spots. `publish` receives the loop's status.
    """
    lanes = {name: lane for make in LANES.values() for name, lane in make(monitor, folder).items()}
    if not lanes:
        return None
    clock = BlindClock(time.time(), time.monotonic)

    def observe(ledger: IntentLedger, now: float) -> Situation:
        return build_situation(report(), monitor, ledger, now, clock.update(blind(), now))

    def publish_with_files(status: ControlStatus) -> None:
        problem = "; ".join(filter(None, (status.problem, *file_problems(monitor.spec, folder))))
        publish(replace(status, problem=problem or None))

    return ControlLoop(
        observe=observe,
        policies=POLICIES,
        executors={name: lane.executor for name, lane in lanes.items()},
        receivers={name: lane.receiver for name, lane in lanes.items()},
        outbox=FileOutbox(OutboxFile(state / OUTBOX_FILE)),
        publish=publish_with_files,
        clock=time.time,
        random=Random(),
    )
