"""Tables about decisions: a profile that is being learned, the audit log, stream detectors, rows on disk."""

from __future__ import annotations

from ..response import ReportResponse
from ..schema import AuditEntry
from .markup import Clock, name, section, share, text, time, whole

HASH = 12  # characters of a hash that are shown


def learning(answer: ReportResponse) -> str:
    """Return the table about a profile that is being learned."""
    found = answer.learning
    if found is None:
        return ""
    state = {
        "building": f"building the profile, {share(found.progress)} completed",
        "gathering": "gathering rows",
        "gave_up": "failed",
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
    heads = ("state", "#rows", "#needed", "#tries", "since", "requested by", "problem")
    return section("Learning a profile", "", heads, [row])


def decisions(answer: ReportResponse) -> str:
    """Return the newest entries of the audit log, newest first."""
    note = '<p class="soft">Names are as given in the requests. The file audit.jsonl holds all decisions.</p>'
    heads = ("when", "what", "outcome", "by", "reason", "profile before", "profile after")
    return section("Decisions", note, heads, [_decision(item) for item in reversed(answer.decisions)], "wide")


def _decision(item: AuditEntry) -> tuple[str, ...]:
    what = text(item.action.replace("_", " ")) + (f" {name(item.episode)}" if item.episode else "")
    outcome = text(item.outcome.replace("_", " ")) + (f", {whole(item.rows)} rows" if item.rows else "")
    hashes = (f"<code>{text(value[:HASH])}</code>" if value else "" for value in (item.old, item.new))
    return (time(item.time), what, outcome, text(item.by), text(item.reason), *hashes)


def streams(answer: ReportResponse) -> str:
    """Return the table of stream detectors."""
    note = (
        '<p class="soft">Detectors of River, each on one number per tick. They have no budget, because their rate of '
        "false alarms is unknown. They raise no alarm and request no action.</p>"
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
    return section("Stream detectors", note, ("detector", "stream", "#value", "#changes", "last", "problem"), rows)


def kept(answer: ReportResponse) -> str:
    """Return the table of rows on disk."""
    rows = [
        (text(item.store), whole(item.rows), whole(item.bytes), whole(item.not_kept), whole(item.torn_bytes))
        for item in answer.kept_rows
    ]
    return section("Rows on disk", "", ("store", "#rows", "#bytes", "#rows not stored", "#bytes removed"), rows)
