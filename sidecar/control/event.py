"""The event of an intent: CloudEvents 1.0, structured mode, JSON."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from .policy import Intent

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
TYPES = {"retrain": "dev.pilotfish.retraining.requested"}
LARGEST = 64 * 1024  # bytes; receivers are only asked to take events up to this size


def render(intent: Intent) -> bytes:
    """Return the event for `intent`: the same bytes for the same intent.

    `data` says whose traffic, which episode and what its detail shows; a detail too large for an event is left out, as
    `"detail": null`, since the Report has it.
    """
    whole = _event(intent, dict(intent.episode.detail))
    return whole if len(whole) <= LARGEST else _event(intent, None)


def _event(intent: Intent, detail: dict[str, object] | None) -> bytes:
    subject, episode = intent.subject, intent.episode
    opened = datetime.fromtimestamp(episode.opened_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": intent.id,
            "source": f"/pilotfish/models/{quote(subject.model, safe='')}",
            "type": TYPES[intent.kind],
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
