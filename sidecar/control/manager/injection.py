"""Whether the pods of a target have a sidecar, and why some have none.

Only pods with a sidecar are mirrored. The workload, which is read every 30 s anyway, says how many pods it has. While
these are more than the mirrored ones, the others are listed: their metadata only, at most MAX_LISTED, once a minute.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import number, quote_value
from ...kube.client import Kube
from ...kube.errors import KubeError
from ...kube.objects import PODS
from ...kube.read import list_metadata
from ...reason import camel_case
from ..reasons import Reason
from .pods import INJECT, INJECTED, INJECTION
from .selectors import Selector
from .trouble import Trouble, TroubleError, of_kube
from .world import Item, World

LIST_AGAIN = 60.0  # seconds between two lists of one monitor
MAX_LISTED = 100
MAX_WHY = 300  # characters
PRESENT = "status.phase!=Failed,status.phase!=Succeeded"
NOT_SEEN = (
    "they are older than the injector or than the monitor, or the injector could not be reached; roll the workload out "
    "again, and run `pilotfish doctor` if that changes nothing"
)
OPTED_OUT = "they have the label pilotfish.dev/inject=false; remove it from the pod template"


@dataclass(frozen=True, slots=True)
class InjectionFinding:
    """How many pods of a target have a sidecar, and how many have none, at least.

    `more` is whether there may be more without one. `why` is why most of those have none. `trouble` is why the pods
    cannot be listed; then nothing is said of others.
    """

    injected: int
    others: int = 0
    more: bool = False
    why: str = ""
    trouble: Trouble | None = None

    @property
    def text(self) -> str:
        """The finding in words."""
        total = self.injected + self.others
        if not self.others:
            return f"{number(total, 'pod')} of the target, each with a sidecar"
        least = "at least " if self.more else ""
        return f"{least}{self.others} of {number(total, 'pod')} of the target have no sidecar: {self.why}"


@dataclass
class InjectionWatch:
    """Looks for pods without a sidecar. `finding` is None before the first look."""

    namespace: str
    world: World
    finding: InjectionFinding | None = None
    _listed_at: float = field(default=float("-inf"))

    async def look(self, selector: Selector, replicas: int, injected: int) -> None:
        """Compare the pods of the workload with those that have a sidecar; list the others, if there are any."""
        if injected >= replicas:
            self.finding = InjectionFinding(injected)
            return
        now = self.world.monotonic()
        if now - self._listed_at < LIST_AGAIN:
            return
        self._listed_at = now
        try:
            found = await self.world.list_uninjected(self.namespace, selector)
        except TroubleError as error:
            self.finding = InjectionFinding(injected, trouble=error.trouble)
            return
        alive = [item for item in found if not item["metadata"].get("deletionTimestamp")]
        self.finding = InjectionFinding(injected, len(alive), len(found) >= MAX_LISTED, explain(alive))


def explain(items: Iterable[Item]) -> str:
    """Return why most of the pods `items` have no sidecar, by their annotations; empty without pods."""
    reasons = Counter(_why(item["metadata"]) for item in items)
    return reasons.most_common(1)[0][0] if reasons else ""


def _why(metadata: Mapping[str, Any]) -> str:
    raw = (metadata.get("annotations") or {}).get(INJECTION)
    if raw is None:
        return OPTED_OUT if (metadata.get("labels") or {}).get(INJECT) == "false" else NOT_SEEN
    try:
        note = json.loads(raw)
        reason, message = str(note["reason"]), str(note["message"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return f"their annotation {INJECTION} cannot be read: {quote_value(raw)}; restart the workload"
    return f"{camel_case(reason[:MAX_WHY])}: {message}"[:MAX_WHY]


async def list_uninjected(kube: Kube, namespace: str, selector: Selector) -> list[dict[str, Any]]:
    """Return the metadata of at most MAX_LISTED pods that `selector` selects and that have no sidecar.

    Raises TroubleError.
    """
    labels = f"{selector},{INJECTED}!=true"
    try:
        return await list_metadata(
            kube, PODS, namespace, label_selector=labels, field_selector=PRESENT, most=MAX_LISTED
        )
    except KubeError as error:
        raise of_kube("the pods of spec.targetRef", error, Reason.TARGET_NOT_FOUND) from error
