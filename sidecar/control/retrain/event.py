"""The event that requests a retraining: CloudEvents 1.0, structured mode, JSON.

Receivers parse this format, which docs/retraining.md describes. Add fields; do not rename or remove any.
"""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from ..situation import EpisodeFacts, Subject

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPE = "dev.pilotfish.retraining.requested"
MAX_EVENT_BYTES = 64 * 1024  # the size up to which the CloudEvents specification asks receivers to accept events


def render(id_: str, subject: Subject, episode: EpisodeFacts) -> str:
    """Return the event `id_` as JSON text; the same arguments give the same text.

    `data` identifies the model and the episode, and holds the episode's detail. If the event would exceed
    `MAX_EVENT_BYTES`, it has `"detail": null`; the report still holds the detail.
    """
    whole = _event(id_, subject, episode, dict(episode.detail))
    return (whole if len(whole) <= MAX_EVENT_BYTES else _event(id_, subject, episode, None)).decode()


def _event(id_: str, subject: Subject, episode: EpisodeFacts, detail: dict[str, object] | None) -> bytes:
    opened = datetime.fromtimestamp(episode.opened_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": id_,
            "source": f"/pilotfish/models/{quote(subject.model, safe='')}",
            "type": TYPE,
            "subject": f"{subject.model}/{subject.version}",
            "time": opened,
            "datacontenttype": "application/json",
            "data": {
                "model": subject.model,
                "version": subject.version,
                "profileHash": subject.profile_hash,
                "episode": episode.id,
                "cause": episode.cause,
                "family": episode.family,
                "openedAt": opened,
                "detail": detail,
            },
        }
    )
