"""Worker commands: the only way for another thread to change the analyzer's state.

The worker executes them one by one between two batches of records. `worker.py` dispatches on their type.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...detectors.profile.profile import Profile
from ..labels.labels import LabelBatch
from ..report.schema import AuditEntry, LearningStatus
from ..sync.messages import Acknowledgement


@dataclass(frozen=True, slots=True)
class AcknowledgeTicks:
    """Forget the `ticks` of `epoch`, which the controller keeps durably."""

    epoch: str
    ticks: tuple[Acknowledgement, ...]


@dataclass(frozen=True, slots=True)
class BeginLearning:
    """Start to store rows for a new profile; refused while another profile is being learned."""

    learning: LearningStatus


@dataclass(frozen=True, slots=True)
class CloseEpisode:
    """Close the open episode `id`; `by` is recorded as the cause of the closing."""

    id: str
    by: str = "person"


@dataclass(frozen=True, slots=True)
class EndLearning:
    """End the learning `id`, whether or not it gave a profile, and remove its rows."""

    id: str


@dataclass(frozen=True, slots=True)
class UpdateLearning:
    """Report on the build of the learning `id`: its `progress` in [0, 1], or the `problem` that made it fail."""

    id: str
    progress: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SetProfile:
    """Put `profile` into force.

    `learning_id` is the id of the learning that built it; empty for any other profile, which ends a learning under way.
    """

    profile: Profile
    learning_id: str = ""


@dataclass(frozen=True, slots=True)
class ShowDecisions:
    """Show `decisions`, the newest entries of the audit log, in the report."""

    decisions: tuple[AuditEntry, ...]


@dataclass(frozen=True, slots=True)
class Warn:
    """Show `text` as the report's warning about `topic`; an empty text removes it."""

    topic: str
    text: str


@dataclass(frozen=True, slots=True)
class TakeLabels:
    """Join and count labels; the future returns a FeedbackResponse once the labels are stored durably.

    With `look_up`, the response is what counting them would give, and nothing changes.
    """

    labels: LabelBatch
    look_up: bool = False


SimpleCommand = (
    AcknowledgeTicks | BeginLearning | CloseEpisode | EndLearning | UpdateLearning | SetProfile | ShowDecisions | Warn
)
Command = SimpleCommand | TakeLabels
