"""Log lines for the changes between two states of the report: (level, sentence) pairs. Pure.

The analyzer process calls `report_lines` once a second and at its end, and `control_lines` whenever the control loop
publishes its status. Each event gives one line, however often the functions are called. `analyzer/visibility` logs
blind spots, also an idle analyzer. This module truncates foreign text, and the log escapes it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from ..errors import number, quote_value
from ..log import rfc3339
from . import wording
from .control_status import ControlStatus, IntentStatus
from .schema import EpisodeReport, LearningStatus, ProfileInfo, Report

INFO, WARNING, ERROR = logging.INFO, logging.WARNING, logging.ERROR
LONGEST = 600  # characters of a warning or reason

Line = tuple[int, str]


def report_lines(previous: Report | None, current: Report) -> Iterator[Line]:
    """Yield a line for each event between two reports of one process; `previous` is None at its start."""
    yield from _profile(previous.profile if previous else None, current.profile)
    yield from _learning(previous, current)
    yield from _episodes(previous, current)
    yield from _warnings(previous, current)


def control_lines(previous: ControlStatus | None, current: ControlStatus, since: float) -> Iterator[Line]:
    """Yield a line for each intent that changed between two states.

    Changes before the epoch second `since`, the start of the process, give no line: an earlier process has logged them.
    """
    before = {intent.id: intent for intent in previous.intents} if previous else {}
    for intent in reversed(current.intents):  # oldest first
        last = before.get(intent.id)
        changed = last is None or (last.state, last.attempts) != (intent.state, intent.attempts)
        if changed and (intent.changed_at or intent.decided_at) >= since:
            yield from _intent(last, intent)


def _profile(before: ProfileInfo | None, now: ProfileInfo | None) -> Iterator[Line]:
    if now is None or (before is not None and before.hash == now.hash):
        return
    name = " version ".join(quote_value(part) for part in (now.model, now.version) if part) or "without a name"
    excluded = f", {number(len(now.excluded), 'column')} excluded" if now.excluded else ""
    size = f"{number(now.rows, 'row')}, {number(now.features, 'feature')}{excluded}"
    yield INFO, f"the profile {name} is in force: sha256 {now.hash[:12]}, {size}"


def _learning(previous: Report | None, current: Report) -> Iterator[Line]:
    before, now = previous.learning if previous else None, current.learning
    if now is None:
        yield from _learning_ended(before, previous, current)
    elif before is None or before.id != now.id:
        stored = f", {now.rows:,} are stored already" if now.rows else ""
        yield INFO, f"learning a profile from {now.wanted:,} rows{stored}{_requester(now)}"
        if now.state == "gave_up":
            yield ERROR, _gave_up(now)
    elif now.state == "gave_up" and before.state != "gave_up":
        yield ERROR, _gave_up(now)
    elif now.tries > before.tries:
        yield WARNING, f"learning failed and starts again (try {now.tries}): {_short(now.problem)}"
    elif now.state == "building" and before.state != "building":
        yield INFO, f"building a profile from {now.rows:,} rows"


def _learning_ended(before: LearningStatus | None, previous: Report | None, current: Report) -> Iterator[Line]:
    if before is None or previous is None:
        return
    if before.state == "building" and current.profile is not None and current.profile != previous.profile:
        yield INFO, f"learning has finished: its profile {current.profile.hash[:12]} is in force"
    elif before.state == "building" and current.profile is not None:
        yield INFO, "learning has finished"
    else:
        yield INFO, f"learning has ended without a profile, after {before.rows:,} rows"


def _episodes(previous: Report | None, current: Report) -> Iterator[Line]:
    before = {episode.id: episode for episode in previous.episodes} if previous else {}
    for episode in current.episodes:
        last = before.get(episode.id)
        if last is None and (previous is not None or episode.open):
            yield WARNING, _opened(episode, current, resumed=previous is None)
        if last is not None and episode.open and not last.open:
            yield INFO, f"{_kind(episode)} episode {episode.id} is open again"
        if not episode.open and (last.open if last else previous is not None):
            yield INFO, f"{_kind(episode)} episode {episode.id} has ended: {_short(episode.closed_by or 'unknown')}"


def _opened(episode: EpisodeReport, report: Report, *, resumed: bool) -> str:
    part = f", part of episode {episode.part_of}" if episode.part_of else ""
    verb = "is open since an earlier run" if resumed else "goes on" if episode.part_of else "ALARM"
    onset = rfc3339(episode.onset_tick * report.ticks.tick_seconds)
    what = wording.summary(episode, report.features, onset)
    return f"{_kind(episode)} {verb}: {episode.family}: {what}; episode {episode.id}{part}"


def _kind(episode: EpisodeReport) -> str:
    return "performance" if episode.family == "performance" else "drift"


def _warnings(previous: Report | None, current: Report) -> Iterator[Line]:
    """Yield new and ended warnings. Two warnings that differ in numbers only are the same one."""
    before = {_without_numbers(text): text for text in previous.warnings} if previous else {}
    now = {_without_numbers(text): text for text in current.warnings}
    for key, text in now.items():
        if key not in before:
            yield WARNING, _short(text)
    for key, text in before.items():
        if key not in now:
            yield INFO, f"no longer: {_short(text)}"


def _intent(last: IntentStatus | None, intent: IntentStatus) -> Iterator[Line]:
    event = f"{intent.kind} event {intent.id} ({_about(intent)})"
    receiver = quote_value(intent.receiver)
    attempts = number(intent.attempts, "attempt")
    why = _short(intent.error or intent.reason)
    lines = {
        "recommended": (INFO, f"{event}: recommended only, not sent: {why}"),
        "refused": (INFO, f"{event}: not sent: {why}"),
        "delivered": (INFO, f"{event}: delivered to {receiver} after {attempts}"),
        "dead": (ERROR, f"{event}: given up after {attempts}, not delivered to {receiver}: {why}"),
        "superseded": (INFO, f"{event}: no longer needed: {why}"),
    }
    if intent.state in lines:
        yield lines[intent.state]
    elif intent.attempts and (last is None or not last.attempts):  # pending; the first failure only
        yield WARNING, f"{event}: the first attempt to deliver it to {receiver} failed: {why}; it will be repeated"


def _about(intent: IntentStatus) -> str:
    return f"{intent.cause} {intent.episode}" if intent.kind == "notify" else f"episode {intent.episode}"


def _gave_up(learning: LearningStatus) -> str:
    return f"learning failed {learning.tries} times and was given up: {_short(learning.problem)}"


def _requester(learning: LearningStatus) -> str:
    return f", requested by {quote_value(learning.by)}" if learning.by else ""


def _without_numbers(text: str) -> str:
    return re.sub(r"\d[\d.,]*", "#", text)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
