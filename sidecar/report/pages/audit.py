"""The tables of what was learnt and decided: a profile in the making, the audit, River's streams, rows on disk."""

from __future__ import annotations

from ..response import ReportResponse
from ..schema import AuditEntry
from .markup import Clock, name, section, share, text, time, whole

HASH = 12  # characters of a hash that tell it from others


def learning(answer: ReportResponse) -> str:
    """Return how far a profile in the making is."""
    found = answer.learning
    if found is None:
        return ""
    state = {
        "building": f"building the profile, {share(found.progress)} done",
        "gathering": "gathering rows",
        "gave_up": "given up",
    }[found.state]
    asked = f"{name(found.by)}: {text(found.reason)}" if found.by else "the document"
    row = (
        state,
        whole(found.rows),
        whole(found.wanted),
        str(found.tries),
        time(found.began),
        asked,
        text(found.problem),
    )
    heads = ("state", "#rows", "#wanted", "#tries", "since", "asked for by", "problem")
    return section("A profile in the making", "", heads, [row])


def decisions(answer: ReportResponse) -> str:
    """Return the newest of the audit, newest first."""
    note = '<p class="soft">Who says to have decided what; the file audit.jsonl has all of it.</p>'
    heads = ("when", "what", "outcome", "by", "reason", "profile before", "profile after")
    return section("Decisions", note, heads, [_decision(item) for item in reversed(answer.decisions)], "wide")


def _decision(item: AuditEntry) -> tuple[str, ...]:
    what = text(item.action.replace("_", " ")) + (f" {name(item.episode)}" if item.episode else "")
    outcome = text(item.outcome.replace("_", " ")) + (f", {whole(item.rows)} rows" if item.rows else "")
    hashes = (f"<code>{text(value[:HASH])}</code>" if value else "" for value in (item.old, item.new))
    return (time(item.time), what, outcome, text(item.by), text(item.reason), *hashes)


def streams(answer: ReportResponse) -> str:
    """Return the detectors of River, which have no budget."""
    note = (
        '<p class="soft">River on one number a tick. No budget: how often these are wrong is not known, so they page '
        "nobody and ask for nothing.</p>"
    )
    clock = Clock.of(answer.ticks)
    rows = [
        (
            text(item.type),
            name(item.stream),
            "" if item.value is None else f"{item.value:.4g}",
            whole(item.changes),
            "" if item.last_change_tick is None else clock.start(item.last_change_tick),
            text(item.problem),
        )
        for item in answer.streams
    ]
    return section("Other detectors", note, ("detector", "stream", "#value", "#changes", "last", "problem"), rows)


def kept(answer: ReportResponse) -> str:
    """Return how many rows of the traffic are on disk."""
    rows = [
        (text(item.store), whole(item.rows), whole(item.bytes), whole(item.not_kept), whole(item.torn_bytes))
        for item in answer.kept_rows
    ]
    return section("Rows on disk", "", ("store", "#rows", "#bytes", "#rows not kept", "#bytes torn off"), rows)
