"""The panels of what the controller changes about targets: why nothing is changed, what became of changes, and when."""

from __future__ import annotations

from dataclasses import dataclass

from ..model import ZERO_IS_GOOD, Panel, Target
from ..queries import equal, grown, largest, series, total

OF_MONITOR = 'namespace=~"$namespace", monitor=~"$monitor"'


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeKind:
    """A kind of intent that changes targets.

    Attributes:
        kind: of its intents.
        one, many: the noun, such as `resize` and `Resizes`.
        done: what the controller did last, such as `resized a container`.
        none: what a panel says while nothing was done.
        held: the title and the text of the panel of the reasons why nothing is done.
        intent: what an intent is to do, such as `resize containers`.
        held_metric, done_metric: of the present reason, and of the time of the last change.
        by: the labels of one target.
        who: its legend.
    """

    kind: str
    one: str
    many: str
    done: str
    none: str
    held: tuple[str, str]
    intent: str
    held_metric: str
    done_metric: str
    by: tuple[str, ...]
    who: str


def change_panels(kind: ChangeKind) -> tuple[Panel, ...]:
    """Return the panels of `kind`: held, by outcome, and the time since the last change."""
    title, text = kind.held
    held = largest(series(kind.held_metric, scope=OF_MONITOR), *kind.by, "reason")
    intents = total(grown("pilotfish_intents_total", equal("kind", kind.kind), scope=OF_MONITOR), "outcome", "reason")
    return (
        Panel(
            "state",
            title,
            text,
            (Target(held, f"{kind.who} {{{{reason}}}}"),),
            empty="nothing is held",
            width=12,
            steps=ZERO_IS_GOOD,
            states=(("1", "held", "orange"),),
        ),
        Panel(
            "lines",
            f"{kind.many} by outcome",
            f"Intents to {kind.intent} by outcome and reason.",
            (Target(intents, "{{outcome}} {{reason}}"),),
            empty=kind.none,
            width=12,
        ),
        Panel(
            "lines",
            f"Time since the last {kind.one}",
            f"Time since the controller last {kind.done}.",
            (Target(f"time() - {largest(series(kind.done_metric, scope=OF_MONITOR), *kind.by)}", kind.who),),
            unit="s",
            empty=kind.none,
            width=12,
        ),
    )
