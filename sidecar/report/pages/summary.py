"""A short text version of the report, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...errors import number
from .. import wording
from ..response import ReportResponse
from ..schema import EpisodeReport, FeatureReport
from .markup import Clock
from .overview import STATES, input_rows, not_compared, state, title
from .tables import ranked, without_values

LISTED = 10
NAMED = 5
WIDTH = 32


def lines(answer: ReportResponse) -> Iterator[str]:
    """Yield the lines. They contain foreign text, so print them with `terminal.show`."""
    clock = Clock.of(answer.ticks)
    yield f"{title(answer)}: {STATES[state(answer)]}" + (f", mode {answer.mode}" if answer.mode else "")
    for spot in answer.blind:
        yield f"{'BLIND' if spot.total else 'PARTLY BLIND'} ({spot.reason}): {spot.text}"
    if answer.reason:
        yield f"  {answer.reason}"
    rows = input_rows(answer)
    seen = f"{number(answer.accounting.seen, 'exchange')} seen, " if answer.accounting else ""
    yield f"{seen}{number(rows, 'row')} measured, {number(answer.ticks.closed_total, 'tick')} closed"
    for family in answer.families:
        yield f"evidence of {family.name}: {family.evidence_ratio:.2g} of 1, {number(family.alarms_total, 'alarm')}"
    for cause in wording.causes([episode for episode in answer.episodes if episode.open]):
        yield from _cause(cause, answer, clock.start(cause[0].onset_tick))
    if answer.families and not answer.blind and not any(episode.open for episode in answer.episodes):
        unknown = not_compared(answer).removesuffix(".")
        yield unknown[:1].lower() + unknown[1:] or "no open drift episode"
    found = answer.performance
    if found is not None and found.realized is not None:
        yield f"{found.loss} on labelled rows {found.realized.value:.4g}, in the reference {found.reference:.4g}"
    yield from _undelivered(answer)
    yield from _table(answer)
    texts = {spot.text for spot in answer.blind}
    for words in answer.warnings:
        if words not in texts:
            yield f"warning: {words}"


def _cause(cause: Sequence[EpisodeReport], answer: ReportResponse, since: str) -> Iterator[str]:
    """Yield one line per column that changed, and what its relations add."""
    found = wording.active(cause, answer.features)
    lines, folded = wording.headlines(found, since), wording.fold(found)
    for line in lines[:NAMED]:
        yield f"DRIFT of {cause[0].family}: {line}"
    if len(lines) > NAMED:
        yield f"  and {number(len(lines) - NAMED, 'more column')}"
    if folded.columns and folded.relations:
        yield f"  {folded.summary}"


def _undelivered(answer: ReportResponse) -> Iterator[str]:
    """Yield one line for each receiver that events wait for, with the reason of the last failure."""
    control = answer.control
    if control is None:
        return
    for kind, receiver, amount in control.waiting:
        failed = (item.error for item in control.intents if (item.kind, item.receiver) == (kind, receiver))
        why = next(filter(None, failed), "")
        if amount:
            yield f"NOT DELIVERED to {receiver}: {number(amount, f'{kind} event')}" + (
                f", last failure {why}" * bool(why)
            )


def _table(answer: ReportResponse) -> Iterator[str]:
    found = ranked(answer)
    if not found:
        return
    yield f"{'feature':<{WIDTH}} {'evidence':>9} {'PSI':>7} {'missing':>8}"
    yield from map(_feature, found[:LISTED])
    if len(found) > LISTED:
        yield f"and {len(found) - LISTED} more"


def _feature(feature: FeatureReport) -> str:
    short = feature.name if len(feature.name) <= WIDTH else feature.name[: WIDTH - 1] + "…"
    ratio = ""
    if feature.evidence_ratio is not None and not without_values(feature):
        ratio = f"{min(feature.evidence_ratio, 9999):.2g}"
    effects = feature.effects
    psi, missing = (f"{effects.psi.value:.3f}", f"{effects.missing_ratio:.1%}") if effects else ("", "")
    return f"{short:<{WIDTH}} {ratio:>9} {psi:>7} {missing:>8}"
