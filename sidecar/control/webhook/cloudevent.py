"""The envelope of events: CloudEvents 1.0, structured mode, JSON.

Receivers parse this format, which docs/retraining.md and docs/notifications.md describe. Add fields; do not rename or
remove any.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec

from ..situation import Subject

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
MAX_EVENT_BYTES = 64 * 1024  # the size up to which the CloudEvents specification asks receivers to accept events


def envelope(id_: str, type_: str, subject: Subject, at: float, data: Mapping[str, object]) -> bytes:
    """Return the event `id_` about a model, at the epoch second `at`; the same arguments give the same bytes.

    In a cluster, `source` and `data.monitor` identify the ModelMonitor.
    """
    monitor = {"namespace": subject.namespace, "name": subject.monitor, "uid": subject.uid}
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": id_,
            "source": _source(subject),
            "type": type_,
            "subject": f"{subject.model}/{subject.version}",
            "time": timestamp(at),
            "datacontenttype": "application/json",
            "data": {**data, "monitor": monitor} if subject.uid else data,
        }
    )


def _source(subject: Subject) -> str:
    if subject.uid:
        return f"/namespaces/{quote(subject.namespace, safe='')}/modelmonitors/{quote(subject.monitor, safe='')}"
    return f"/pilotfish/models/{quote(subject.model, safe='')}"


def header_value(value: object) -> str:
    """Return an attribute as the value of a header: as the CloudEvents HTTP binding asks for, 3.1.3.2."""
    return quote(str(value), safe="".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%'))


def timestamp(at: float) -> str:
    """Return the epoch second `at` as RFC 3339 in UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
