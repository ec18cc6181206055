"""The parameters of a Workflow or PipelineRun: those of the document, whose values may refer to the event.

`${event.data.model}` in a value is replaced by the field of the CloudEvent, and `${event}` by the whole event as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from ...errors import PilotfishError, quote_value
from ..intent import Intent
from .objects import Event, Owner, event_of

_REFERENCE = re.compile(r"\$\{(event(?:\.[A-Za-z0-9_-]+)*)\}")


class ParameterError(PilotfishError):
    """A value refers to a field that the event does not have."""


def parameters_of(given: Mapping[str, str], owner: Owner, intent: Intent, opening: str) -> dict[str, str]:
    """Return the parameters of `given` after those that each retraining gets; raise ParameterError.

    `opening` begins an expression of the engine. Text of the event must not contain one, since parts of an event come
    from the traffic.
    """
    event = event_of(intent)
    data = event["data"]
    own = {
        "pilotfish-cause": data["cause"],
        "pilotfish-episode": data["episode"],
        "pilotfish-event-id": intent.id,
        "pilotfish-model": data["model"],
        "pilotfish-monitor": owner.name,
        "pilotfish-profile-hash": data["profileHash"],
        "pilotfish-version": data["version"],
    }
    found = {name: _defused(value, opening) for name, value in own.items()}
    return found | {name: expand(value, event, opening) for name, value in given.items()}


def expand(value: str, event: Event, opening: str) -> str:
    """Return `value` with the fields of `event` that it refers to; raise ParameterError."""
    return _REFERENCE.sub(lambda match: _text(_field(event, match[1]), opening), value)


def _field(event: Event, path: str) -> object:
    found: object = event
    for key in path.split(".")[1:]:
        if isinstance(found, list) and key.isascii() and key.isdigit() and int(key[:9]) < len(found):
            found = found[int(key[:9])]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            raise ParameterError(f"the event has no field {quote_value(path)}; correct the parameter in spec.retrain")
    return found


def _text(value: object, opening: str) -> str:
    if isinstance(value, str):
        return _defused(value, opening)
    # the opening never occurs in the syntax of JSON, so each one is within a string
    return _before_each(msgspec.json.encode(value).decode(), opening, f"\\u{ord(opening[0]):04x}")


def _defused(text: str, opening: str) -> str:
    return _before_each(text, opening, f"{opening[0]} ")


def _before_each(text: str, opening: str, first: str) -> str:
    """Replace the first character of each `opening`, also where two of them overlap."""
    return re.sub(f"{re.escape(opening[0])}(?={re.escape(opening[1])})", lambda _: first, text)
