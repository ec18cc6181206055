"""A hold: why a target stays as it is although something else is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ..reasons import Reason

MAX_CONTACT_AGE = 90.0  # seconds since the watch of the pods brought something; a watch that is alive does each minute
INTERVALS = 3  # of a recommender: the greatest age of an observation that may be acted on


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a target stays as it is: the reason, and in words what to do."""

    reason: Reason
    text: str = ""

    @property
    def explained(self) -> str:
        """The text, or the meaning and remedy of the reason."""
        return self.text or "; ".join(filter(None, (self.reason.meaning, self.reason.remedy)))


class Explained(Protocol):
    """A problem with a reason and a sentence, wherever it was found."""

    @property
    def reason(self) -> Reason: ...
    @property
    def text(self) -> str: ...


def hold_of(problem: Explained | None) -> Hold | None:
    """Return the hold while `problem` lasts; None without one."""
    return Hold(problem.reason, problem.text) if problem is not None else None
