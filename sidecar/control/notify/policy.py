"""The policy of notifications: for each receiver, an intent for the start of each cause and one for its end.

A cause is an episode or a blind spot. The ledger holds what was decided before: the newest entry of a cause says
whether its start was sent and its end was not. A cause that starts again after its end has a new key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ..intent import Intent, id_of_event
from ..ledger import AGAIN, DELIVERED, PENDING, REFUSED, SUPERSEDED, IntentLedger, LedgerEntry, Nature
from ..policy import Policy
from ..reasons import Reason
from ..situation import BlindFacts, EpisodeFacts, NotifyRules, Situation, Subject
from ..webhook.cloudevent import timestamp
from . import words
from .event import render

KIND = "notify"
_UNSENT = frozenset((REFUSED, SUPERSEDED))
_ENDS = frozenset((Reason.ALARM_CLOSED, Reason.BLIND_ENDED))

Entries = Mapping[tuple[str, str], LedgerEntry]


@dataclass(frozen=True, slots=True)
class _Event:
    """One event about a cause: its key and reason, and the functions that return its time, text and facts."""

    key: str
    why: str
    at: float
    text: Callable[[], str]
    facts: Mapping[str, object]


def wanted_intents(situation: Situation) -> tuple[Intent, ...]:
    """Return an intent for the newest event of each cause, for each receiver; the guard leaves out the decided ones."""
    newest = _newest(situation.ledger)
    return tuple(
        _intent(event, rules, situation)
        for rules in situation.notify
        for event in _events(rules, situation, newest)
        if not _decided(event, rules, situation)
    )


def ended(entry: LedgerEntry, situation: Situation) -> str:
    """Return why the pending `entry` must not be sent any more: its receiver is not in the document."""
    return "" if entry.lane in situation.rules else Reason.WITHDRAWN


def _newest(ledger: IntentLedger) -> Entries:
    """Return the newest entry by receiver and cause."""
    return {(entry.receiver, entry.cause): entry for entry in ledger.entries.values() if entry.kind == KIND}


def _events(rules: NotifyRules, situation: Situation, newest: Entries) -> Iterator[_Event]:
    for episode in situation.episodes.value:
        yield from _of_episode(episode, newest.get((rules.receiver, episode.id)), situation.subject)
    for spot in situation.blind.value:
        yield from _of_blind_spot(spot, newest.get((rules.receiver, spot.reason)), rules, situation.subject)


def _of_episode(episode: EpisodeFacts, last: LedgerEntry | None, subject: Subject) -> Iterator[_Event]:
    facts: dict[str, object] = {
        "episode": episode.id,
        "cause": episode.cause,
        "family": episode.family,
        "openedAt": timestamp(episode.opened_at),
    }
    if not episode.closed_by:
        key = _next_key(episode.id, last)
        text = partial(words.alarm_opened, subject, episode, again=key != episode.id)
        yield _Event(key, Reason.ALARM_OPENED, episode.opened_at, text, facts)
    elif last is not None and _was_sent(last):
        facts |= {"closedAt": timestamp(episode.closed_at), "closedBy": episode.closed_by}
        text = partial(words.alarm_closed, subject, episode)
        yield _Event(last.key, Reason.ALARM_CLOSED, episode.closed_at, text, facts)


def _of_blind_spot(
    spot: BlindFacts, last: LedgerEntry | None, rules: NotifyRules, subject: Subject
) -> Iterator[_Event]:
    running = last if last is not None and last.why not in _ENDS else None
    facts: dict[str, object] = {"reason": spot.reason, "since": timestamp(spot.since)}
    if spot.active and (running is not None or spot.seconds >= rules.blind_for):
        known = running is not None and running.why == Reason.BLIND
        total = known or (spot.total and spot.total_seconds >= rules.blind_for)
        key = running.key if running is not None else f"{spot.reason}{AGAIN}{int(spot.since)}"
        text = partial(words.blind, subject, spot, total=total)
        why = Reason.BLIND if total else Reason.PARTLY_BLIND
        yield _Event(key, why, spot.since, text, facts | {"total": total, "detail": spot.text})
    elif not spot.active and last is not None and _was_sent(last) and spot.seconds >= rules.blind_for:
        lasted = spot.since - int(last.key.partition(AGAIN)[2])
        text = partial(words.blind_ended, subject, spot.reason, lasted)
        yield _Event(last.key, Reason.BLIND_ENDED, spot.since, text, facts)


def _next_key(cause: str, last: LedgerEntry | None) -> str:
    """Return the key of the present run of a cause: that of its start, or after an end, a new one."""
    if last is None:
        return cause
    return f"{cause}{AGAIN}{int(1000 * last.decided_at)}" if last.why in _ENDS else last.key


def _was_sent(last: LedgerEntry) -> bool:
    """Return whether the receiver has got the start of a cause, or would have, had it asked for it."""
    return last.why in _ENDS or last.state not in _UNSENT or last.reason == Reason.UNSUBSCRIBED


def _decided(event: _Event, rules: NotifyRules, situation: Situation) -> bool:
    entry = situation.ledger.entries.get(_id(event, rules, situation.subject))
    return entry is not None and entry.state in {PENDING, DELIVERED}


def _intent(event: _Event, rules: NotifyRules, situation: Situation) -> Intent:
    id_, subject = _id(event, rules, situation.subject), situation.subject
    return Intent(
        id=id_,
        kind=KIND,
        nature=Nature.ONCE,
        subject=subject,
        key=event.key,
        desired=render(id_, event.why, subject, event.at, event.text(), event.facts),
        observed=None,
        observed_at=situation.episodes.at,
        why=event.why,
        receiver=rules.receiver,
    )


def _id(event: _Event, rules: NotifyRules, subject: Subject) -> str:
    return id_of_event(KIND, subject, rules.receiver, event.key, event.why)


POLICY = Policy(KIND, wanted_intents, ended)
