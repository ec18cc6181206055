"""The event that requests a retraining, which docs/retraining.md describes."""

from __future__ import annotations

from ..situation import EpisodeFacts, Subject
from ..webhook.cloudevent import MAX_EVENT_BYTES, envelope, timestamp

TYPE = "dev.pilotfish.retraining.requested"


def render(id_: str, subject: Subject, episode: EpisodeFacts) -> str:
    """Return the event `id_` as JSON text; the same arguments give the same text.

    `data` identifies the model and the episode, and holds the episode's detail. If the event would exceed
    `MAX_EVENT_BYTES`, it has `"detail": null`; the report still holds the detail.
    """
    whole = _event(id_, subject, episode, dict(episode.detail))
    return (whole if len(whole) <= MAX_EVENT_BYTES else _event(id_, subject, episode, None)).decode()


def _event(id_: str, subject: Subject, episode: EpisodeFacts, detail: dict[str, object] | None) -> bytes:
    data = {
        "model": subject.model,
        "version": subject.version,
        "profileHash": subject.profile_hash,
        "episode": episode.id,
        "cause": episode.cause,
        "family": episode.family,
        "openedAt": timestamp(episode.opened_at),
        "detail": detail,
    }
    return envelope(id_, TYPE, subject, episode.opened_at, data)
