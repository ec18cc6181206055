"""The sentences of notifications, for a person on call who has no other context. Pure.

They contain names of the document and of the profile, and no value that a client sent.
"""

from __future__ import annotations

from ...report.wording import short
from ...settings.units import show_duration
from ..reasons import Reason
from ..situation import BlindFacts, EpisodeFacts, Subject

LONGEST = 2000  # characters; receivers take at least 5,000
_ENDS = {Reason.PERSON: "a person closed it", "restart": "a restart lost its evidence"}


def alarm_opened(subject: Subject, episode: EpisodeFacts, *, again: bool) -> str:
    """Return the sentence for an alarm, or for one that is open `again`."""
    verb = " is open again" if again else ""
    return _cut(f"{_alarm(episode)} for {_model(subject)}{verb}: {episode.summary}", f"; episode {episode.id}")


def alarm_closed(subject: Subject, episode: EpisodeFacts) -> str:
    """Return the sentence for the end of an alarm, with its duration and its cause."""
    by = episode.closed_by
    why = _ENDS.get(by) or next((reason.meaning for reason in Reason if reason == by), short(by))
    lasted = _lasted(episode.closed_at - episode.opened_at)
    return _cut(f"{_alarm(episode)} for {_model(subject)} has ended{lasted}: {why}", f"; episode {episode.id}")


def blind(subject: Subject, spot: BlindFacts, *, total: bool) -> str:
    """Return the sentence for traffic that cannot be measured."""
    part = "nothing" if total else "only a part"
    return _cut(f"Pilotfish measures {part} of the traffic of {_model(subject)} ({spot.reason}): {spot.text}")


def blind_ended(subject: Subject, reason: str, lasted: float) -> str:
    """Return the sentence for traffic that is measured again, after `lasted` seconds."""
    return f"Pilotfish is no longer blind for {_model(subject)} ({reason}){_lasted(lasted)}"


def _alarm(episode: EpisodeFacts) -> str:
    return f"{episode.cause.capitalize()} alarm"


def _model(subject: Subject) -> str:
    return f"model {short(subject.model)}" + (f" version {short(subject.version)}" if subject.version else "")


def _lasted(seconds: float) -> str:
    whole = int(seconds) if seconds < 60 else int(seconds // 60) * 60  # minutes are enough for people
    return f" after {show_duration(whole)}" if whole > 0 else ""


def _cut(text: str, end: str = "") -> str:
    return (text if len(text) + len(end) <= LONGEST else text[: LONGEST - len(end) - 1] + "…") + end
