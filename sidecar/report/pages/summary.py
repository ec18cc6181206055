"""A short text version of the report, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...errors import number
from ...log import rfc3339
from .. import wording
from ..columns import ColumnEntry, has_no_values, ordered
from ..problems import EVERYDAY, FINDINGS, REASONS, remedy
from ..response import ReportResponse
from ..schema import EpisodeReport, FeatureReport, QualityFinding
from ..sync_status import NO_MONITOR
from .markup import Clock
from .overview import STATES, input_rows, not_compared, state, title

LISTED = 10
NAMED = 5
WIDTH = 32


def lines(answer: ReportResponse, *, everything: bool = False) -> Iterator[str]:
    """Yield the lines. They contain foreign text, so print them with `terminal.show`.

    `everything` also lists all columns, derived features and relations between columns.
    """
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
    yield from _sync(answer)
    yield from _table(answer, everything=everything)
    yield from _findings(answer, clock)
    yield from _undecodable(answer)
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


def _sync(answer: ReportResponse) -> Iterator[str]:
    """Yield one line about the sync with the controller, if there is one."""
    found = answer.sync
    if found is not None:
        reached = f"last reached {rfc3339(found.last_success)}" if found.last_success is not None else "never reached"
        yield (
            f"controller {found.control}: {reached}, {number(found.unacknowledged, 'tick')} not stored yet, "
            f"{found.dropped:,} dropped"
        )
        if found.no_monitor:
            yield NO_MONITOR


def _table(answer: ReportResponse, *, everything: bool) -> Iterator[str]:
    """Yield one line per column, then one about the relations; with `everything`, a line per feature."""
    found = ordered(answer.features)
    if not answer.features:
        return
    shown = len(found.columns) if everything else LISTED
    yield f"{'column':<{WIDTH}} {'evidence':>9} {'PSI':>7} {'missing':>8}"
    yield from (_feature(item, item.name) for item in found.changed_relations)
    for entry in found.columns[:shown]:
        yield from _entry(entry, everything=everything)
    if len(found.columns) > shown:
        yield f"and {number(len(found.columns) - shown, 'more column')} (--all lists them)"
    if everything:
        yield from (_feature(item, item.name) for item in found.relations)
    elif found.relations:
        yield f"relations: {found.summary} (--all lists them)"


def _entry(entry: ColumnEntry, *, everything: bool) -> Iterator[str]:
    more = len(entry.derived)
    yield _feature(entry.first, f"{entry.name} ({number(more, 'feature')})" if more else entry.name)
    if everything:
        yield from (_feature(item, f"  {item.name}") for item in entry.derived)


def _findings(answer: ReportResponse, clock: Clock) -> Iterator[str]:
    """Yield one line per data-quality finding, with what to do."""
    for item in answer.findings[:LISTED]:
        extent = f"{number(item.rows, 'row')}, {wording.percent(item.share)}, since {clock.start(item.since_tick)}"
        yield f"finding: {_finding(item)} ({extent})"
    if len(answer.findings) > LISTED:
        yield f"and {number(len(answer.findings) - LISTED, 'more finding')}"


def _finding(item: QualityFinding) -> str:
    meaning, advice = FINDINGS.get(item.kind, ("", ""))
    what = f"{item.kind.replace('_', ' ')} {wording.short(item.column)}".strip()
    if item.renamed_to:
        what += f" -> {wording.short(item.renamed_to)}"
    if item.detail:
        what += f" ({item.detail})"
    return f"{what}: {meaning}; {advice}" if meaning else what


def _undecodable(answer: ReportResponse) -> Iterator[str]:
    """Yield the exchanges that could not be decoded, by reason, with what to do; everyday reasons have one line."""
    fates = answer.accounting.fates if answer.accounting else ()
    found = {item.reason: item.exchanges for item in fates if item.fate == "undecodable" and item.exchanges}
    for reason, amount in sorted(found.items(), key=lambda item: -item[1]):
        if reason not in EVERYDAY:
            yield f"not decoded: {number(amount, 'exchange')}, {_why(reason)}"
    everyday = ", ".join(f"{amount:,} {reason}" for reason, amount in found.items() if reason in EVERYDAY)
    if everyday:
        yield f"not decoded, as usual beside predictions: {everyday}"
    for reason, amount in sorted(answer.predictions_unread.items(), key=lambda item: -item[1]):
        if amount:
            yield f"measured without predictions: {number(amount, 'exchange')}, {_why(reason)}"


def _why(reason: str) -> str:
    meaning = REASONS.get(reason)
    return f"{reason}: {meaning}; {remedy(reason)}" if meaning else reason


def _feature(feature: FeatureReport, name: str) -> str:
    short = name if len(name) <= WIDTH else name[: WIDTH - 1] + "…"
    ratio = ""
    if feature.evidence_ratio is not None and not has_no_values(feature):
        ratio = f"{min(feature.evidence_ratio, 9999):.2g}"
    effects = feature.effects
    psi, missing = (f"{effects.psi.value:.3f}", f"{effects.missing_ratio:.1%}") if effects else ("", "")
    return f"{short:<{WIDTH}} {ratio:>9} {psi:>7} {missing:>8}"
