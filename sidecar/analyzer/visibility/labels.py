"""Condition about labels that arrive and lead to no loss."""

from __future__ import annotations

from ...errors import number, quote_value
from ...labels.labels import DUPLICATE, INVALID, LATE, UNKNOWN
from ..feedback.unused import UNUSED_REASONS
from .blindness import Blindness, explained, reasons
from .history import Totals
from .paths import decode_of
from .readings import View
from .shares import unmeasured

UNMATCHED = {
    INVALID: "the row or the number of labels is wrong",
    LATE: "the exchange is not kept any more; raise spec.feedback.keep or maxRows",
    UNKNOWN: "no exchange with this id was measured",
}


def labels_unused(view: View) -> Blindness | None:
    """Report that most or all of the recent labels led to no loss."""
    found = unmeasured(
        view,
        "labels_unused",
        lambda totals: max(0, _labels(totals) - sum(_causes(totals).values())),
        lambda totals: sum(_causes(totals).values()),
    )
    if found is None:
        return None
    causes, labels = _causes(found), _labels(found)
    failed = sum(causes.values())
    what = "None" if failed >= labels else f"Only {labels - failed:,}"
    return Blindness(
        f"{what} of the last {number(labels, 'label')} could be used: "
        f"{explained(causes, {**UNUSED_REASONS, **UNMATCHED, **_id_path(view)})}; see docs/feedback.md",
        total=False,
    )


def _id_path(view: View) -> dict[str, str]:
    """Return the reason of unknown ids, with the path of the ids if no exchange had one."""
    decode = decode_of(view)
    if decode is None or decode.id is None or view.reading.report.feedback.identified_ratio:
        return {}
    return {UNKNOWN: f"{UNMATCHED[UNKNOWN]}: spec.traffic.decode.id selects no id: {quote_value(decode.id)}"}


def _causes(totals: Totals) -> dict[str, int]:
    """Return the labels that led to no loss, by cause."""
    unmatched = {outcome: totals.of("label", outcome) for outcome in UNMATCHED if totals.of("label", outcome)}
    return {**unmatched, **reasons(totals.kind("unused"))}


def _labels(totals: Totals) -> int:
    """Return all labels but repeated ones."""
    found = totals.kind("label")
    return sum(amount for (outcome,), amount in found.items() if outcome != DUPLICATE)
