"""Actions: what Pilotfish decided, did, and could not do."""

from __future__ import annotations

from ..model import ZERO_IS_GOOD, Page, Panel, Section, Target
from ..queries import equal, grown, series, total
from .changes import OF_MONITOR
from .resizing import RESIZING
from .scaling import REPLICAS
from .variables import MODEL, MONITOR, NAMESPACE

_MODEL = 'namespace=~"$namespace", model=~"$model"'
NO_CONTROL = "no control loop runs: the document has no retraining or notification"

_INTENTS = "pilotfish_intents_total"

INTENTS = Section(
    "Intents",
    (
        Panel(
            "stat",
            "Executed",
            "Intents in this time whose effect was delivered.",
            (
                Target(
                    total(grown(_INTENTS, equal("outcome", "executed"), window="$__range", scope=OF_MONITOR)),
                    "executed",
                ),
            ),
            empty="none",
            width=4,
            height=4,
        ),
        Panel(
            "stat",
            "Given up",
            "Intents in this time that could not be executed, after all attempts.",
            (
                Target(
                    total(grown(_INTENTS, equal("outcome", "failed"), window="$__range", scope=OF_MONITOR)), "failed"
                ),
            ),
            empty="none",
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Pending",
            "Intents that wait to be executed.",
            (Target(total(series("pilotfish_outbox_entries", equal("state", "pending"), scope=OF_MONITOR))),),
            empty=NO_CONTROL,
            width=4,
            height=4,
        ),
        Panel(
            "stat",
            "Dead",
            "Intents in the outbox that were given up and need a person.",
            (Target(total(series("pilotfish_outbox_entries", equal("state", "dead"), scope=OF_MONITOR))),),
            empty=NO_CONTROL,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Not on disk",
            "Changes of the outbox that are not on disk yet.",
            (Target(total(series("pilotfish_outbox_unsaved", scope=OF_MONITOR))),),
            empty=NO_CONTROL,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Damaged entries",
            "Entries of the outbox that were damaged and skipped.",
            (Target(total(series("pilotfish_outbox_damaged_lines", scope=OF_MONITOR))),),
            empty=NO_CONTROL,
            width=4,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Intents by outcome",
            "Changes of intents by kind and outcome; each intent is decided once and ends once.",
            (Target(total(grown(_INTENTS, scope=OF_MONITOR), "kind", "outcome"), "{{kind}} {{outcome}}"),),
            empty=NO_CONTROL,
        ),
        Panel(
            "lines",
            "Refusals by reason",
            "Decisions that were not executed, by kind and reason; docs/reasons.md has the remedies.",
            (
                Target(
                    total(grown(_INTENTS, 'outcome!~"executed"', scope=OF_MONITOR), "kind", "reason"),
                    "{{kind}} {{reason}}",
                ),
            ),
            empty="nothing was refused",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Waiting by receiver",
            "Intents that wait for a receiver, by kind and receiver; a line that grows is a receiver without answers.",
            (
                Target(
                    total(series("pilotfish_outbox_waiting", scope=OF_MONITOR), "kind", "receiver"),
                    "{{kind}} {{receiver}}",
                ),
            ),
            empty="nothing waits",
            steps=((None, "green"), (10, "yellow")),
        ),
        Panel(
            "table",
            "Owners",
            "Intents of each ModelMonitor in this time, and what waits or was given up.",
            (
                Target(
                    total(grown(_INTENTS, window="$__range", scope=OF_MONITOR), "namespace", "monitor"),
                    title="Intents",
                ),
                Target(
                    total(
                        series("pilotfish_outbox_entries", equal("state", "pending"), scope=OF_MONITOR),
                        "namespace",
                        "monitor",
                    ),
                    title="Pending",
                ),
                Target(
                    total(
                        series("pilotfish_outbox_entries", equal("state", "dead"), scope=OF_MONITOR),
                        "namespace",
                        "monitor",
                    ),
                    title="Dead",
                    steps=ZERO_IS_GOOD,
                ),
            ),
            empty=NO_CONTROL,
            width=24,
            height=7,
        ),
    ),
)
CAUSES = Section(
    "Episodes",
    (
        Panel(
            "state",
            "Drift episodes",
            "When a drift episode was open, by model and version: the cause of most intents.",
            (
                Target(
                    f"max by (namespace, model, version) ({series('pilotfish_episodes_open', scope=_MODEL)}) > bool 0",
                    "{{model}} {{version}}",
                ),
            ),
            empty="no sidecar is scraped",
            width=12,
            steps=ZERO_IS_GOOD,
            states=(("0", "none", "green"), ("1", "open", "red")),
        ),
        Panel(
            "lines",
            "Alarms",
            "Alarms that were raised, by model and family of features.",
            (
                Target(
                    f"max by (model, family) ({grown('pilotfish_drift_alarms_total', scope=_MODEL)})",
                    "{{model}} {{family}}",
                ),
            ),
            empty="no profile is in force",
            width=12,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
PAGE = Page(
    "actions",
    "Pilotfish / Actions",
    "Intents and their outcomes, refusals by reason, replicas, requests and limits, and the episodes behind them.",
    (NAMESPACE, MONITOR, MODEL),
    (INTENTS, REPLICAS, RESIZING, CAUSES),
)
