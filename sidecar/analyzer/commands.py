"""What other threads may ask of the worker; it does them one after the other, between two portions of records."""

from __future__ import annotations

from dataclasses import dataclass

from ...detectors.profile.profile import Profile
from ..report.schema import AuditEntry, LearningStatus
from .feedback.labels import LabelBatch


@dataclass(frozen=True, slots=True)
class BeginLearning:
    """Gather rows for a profile; refused while another one is in the making."""

    learning: LearningStatus


@dataclass(frozen=True, slots=True)
class CloseEpisode:
    """End the open episode `id`; `by` says who asked for it."""

    id: str
    by: str = "person"


@dataclass(frozen=True, slots=True)
class EndLearning:
    """End the learning `id`, with or without a profile, and remove its rows."""

    id: str


@dataclass(frozen=True, slots=True)
class NoteLearning:
    """The learning `id` has come as far as `progress`, or its rows were no good, for the reason in `problem`."""

    id: str
    progress: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SetProfile:
    """Count against `profile` from now on: what the learning `learnt` came to, or one from elsewhere, which ends it."""

    profile: Profile
    learnt: str = ""


@dataclass(frozen=True, slots=True)
class ShowDecisions:
    """Show these, the newest of the audit, in the report."""

    decisions: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class Warn:
    """Show `text` among the report's warnings under `topic`; an empty text takes it back."""

    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class TakeLabels:
    """Join and count labels; its future gives an Answer, as soon as they outlive the process."""

    labels: LabelBatch


SimpleCommand = BeginLearning | CloseEpisode | EndLearning | NoteLearning | SetProfile | ShowDecisions | Warn
Command = SimpleCommand | TakeLabels
