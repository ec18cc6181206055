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
from ..settings.webhooks import NotifyWebhook, Webhook, receiver_id, shown_receiver
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
from .webhook.sender import Message, WebhookSender, WebhookTarget, binary, structured

OUTBOX_FILE = "outbox.jsonl"
FORMS: Mapping[tuple[str, str], Callable[[str], Message]] = {  # by format and content mode
    ("generic", "binary"): binary,
    ("generic", "structured"): structured,
    ("slack", "structured"): slack.message,
}


@dataclass(frozen=True, slots=True)
class Lane:
    """The executor of one lane, and its receiver for people."""

    executor: Executor
    receiver: str


Send = Callable[[str, Webhook], WebhookSender]  # (path in the document, webhook)


def notify_lanes(monitor: ModelMonitor, send: Send) -> dict[str, Lane]:
    """Return a webhook for each receiver of notifications."""
    found = {}
    for index, item in enumerate(monitor.spec.notify):
        lane = lane_of(notify.KIND, receiver_id(item))
        sender = send(f"spec.notify[{index}].webhook", item.webhook)
        found[lane] = Lane(sender, item.name or shown_receiver(item.webhook))
    return found


def retrain_lanes(monitor: ModelMonitor, send: Send) -> dict[str, Lane]:
    """Return the webhook of the block `retrain`; nothing without one."""
    webhook = monitor.spec.retrain.webhook if monitor.spec.retrain is not None else None
    if webhook is None:
        return {}
    return {retrain.KIND: Lane(send("spec.retrain.webhook", webhook), shown_receiver(webhook))}


def send_by_files(folder: Path) -> Send:
    """Return the function that makes senders whose secrets are files, relative to `folder`."""

    def send(path: str, webhook: Webhook) -> WebhookSender:
        return sender_of(
            WebhookTarget(
                url_source(webhook, folder), secret_path(webhook, folder), webhook.timeout, path, form_of(webhook)
            )
        )

    return send


def sender_of(target: WebhookTarget) -> WebhookSender:
    """Return the sender to `target` of this process."""
    return WebhookSender(target, agent=f"pilotfish/{version('pilotfish')}", clock=time.time)


def form_of(webhook: Webhook) -> Callable[[str], Message]:
    """Return the form of the messages for `webhook`."""
    return FORMS[webhook.format if isinstance(webhook, NotifyWebhook) else "generic", webhook.content_mode]


# one row per kind, alphabetically
POLICIES: tuple[Policy, ...] = (notify.POLICY, retrain.POLICY)
# one row per kind, alphabetically; a row returns the webhooks that the document configures
LANES: Mapping[str, Callable[[ModelMonitor, Send], Mapping[str, Lane]]] = {
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
    lanes = {name: lane for make in LANES.values() for name, lane in make(monitor, send_by_files(folder)).items()}
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
