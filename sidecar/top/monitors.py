"""From a ModelMonitor to one word for the table. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import escape_unprintable
from .history import MonitorState

PAUSED = "pilotfish.dev/paused"
Json = Mapping[str, Any]
Conditions = Mapping[str, tuple[str, str, str]]  # type -> status, reason, message


def monitor_state(item: Json) -> MonitorState:
    """Return what the status of a ModelMonitor says; fields that are missing or of another type count as unknown."""
    status = _object(item.get("status"))
    conditions = _conditions(status)
    pods, replicas, profile = (_object(status.get(name)) for name in ("pods", "replicas", "profile"))
    resources = status.get("resources")
    sized = _object(resources[0]) if isinstance(resources, list) and resources else None
    paused = _object(_object(item.get("metadata")).get("annotations")).get(PAUSED) == "true"
    state, tone, reason = next(_states(conditions, paused=paused))
    return MonitorState(
        heard=_count(pods.get("heard")),
        expected=_count(pods.get("expected")),
        desired=_count(replicas.get("desired")),
        sized=None if sized is None else _count(sized.get("resized", 0)),
        state=state,
        tone=tone,
        reason=reason,
        version=_text(profile.get("version")),
    )


def _states(found: Conditions, *, paused: bool) -> Iterator[tuple[str, str, str]]:
    """Yield what holds, the most important first: word, tone, reason."""
    if not found:
        yield "no status", "warning", "no controller has written a status; check that it runs: pilotfish doctor"
    ready, reason, message = found.get("Ready", ("", "", ""))
    if ready == "False":
        yield reason or "not ready", "bad", message
    if paused:
        yield "paused", "warning", "annotation pilotfish.dev/paused"
    for kind, status, word, tone in _WORDS:
        if found.get(kind, ("",))[0] == status:
            yield (word(found[kind][1]), tone, found[kind][2])
    yield "watching", "good", ""


_WORDS: tuple[tuple[str, str, Callable[[str], str], str], ...] = (
    ("Blocked", "True", lambda reason: f"blocked: {reason}", "bad"),
    ("Drifted", "True", lambda _: "drift", "warning"),
    ("Retraining", "True", lambda _: "retraining", "warning"),
    ("Degraded", "True", lambda reason: f"degraded: {reason}", "warning"),
    ("Ready", "Unknown", lambda reason: reason or "unknown", "warning"),
    ("Learning", "True", lambda _: "learning", "good"),
)


def _conditions(status: Json) -> dict[str, tuple[str, str, str]]:
    listed = status.get("conditions")
    items = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    return {
        _text(item.get("type")): (_text(item.get("status")), _text(item.get("reason")), _text(item.get("message")))
        for item in items
    }


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _text(value: object) -> str:
    return escape_unprintable(value) if isinstance(value, str) else ""
