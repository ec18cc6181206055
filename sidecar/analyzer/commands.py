"""What other threads may ask of the worker; it does them one after the other, between two portions of records."""

from __future__ import annotations

from dataclasses import dataclass

from pilotfish.detectors.profile import Profile


@dataclass(frozen=True, slots=True)
class CloseEpisode:
    """End the open episode `id`; `by` says who asked for it."""

    id: str
    by: str = "person"


@dataclass(frozen=True, slots=True)
class SetProfile:
    """Count against `profile` from now on."""

    profile: Profile


@dataclass(frozen=True, slots=True)
class Warn:
    """Show `text` among the report's warnings under `topic`; an empty text takes it back."""

    topic: str
    text: str


Command = CloseEpisode | SetProfile | Warn
