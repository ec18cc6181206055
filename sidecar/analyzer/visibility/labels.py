"""Condition about labels that arrive and lead to no loss."""

from __future__ import annotations

from ..feedback.labels import DUPLICATE, INVALID, LATE, UNKNOWN
from ..feedback.unused import UNUSED_REASONS
from .blindness import Blindness, explained, number, reasons
from .history import Totals
from .readings import View

RECENT = 20
HALF = 0.5
UNMATCHED = {
    INVALID: "the row or the number of labels is wrong",
    LATE: "the exchange is not kept any more; raise spec.feedback.keep or maxRows",
    UNKNOWN: "no exchange with this id was measured",
}


def labels_unused(view: View) -> Blindness | None:
    """Most or all of the recent labels led to no loss."""
    found = view.history.recent(_labels, RECENT)
    if found is None:
        return None
    unused = reasons(found.kind("unused"))
    causes = {**{outcome: found.of("label", outcome) for outcome in UNMATCHED if found.of("label", outcome)}, **unused}
    labels, failed = _labels(found), sum(causes.values())
    if failed < HALF * labels:
        return None
    what = "None" if failed >= labels else f"Only {labels - failed:,}"
    return Blindness(
        f"{what} of the last {number(labels, 'label')} could be used: "
        f"{explained(causes, {**UNUSED_REASONS, **UNMATCHED})}; see docs/feedback.md",
        total=False,
    )


def _labels(totals: Totals) -> int:
    """Return all labels but repeated ones."""
    found = totals.kind("label")
    return sum(amount for (outcome,), amount in found.items() if outcome != DUPLICATE)
