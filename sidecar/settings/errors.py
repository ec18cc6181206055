"""What is wrong with a document: each problem with its path, its value and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import PilotfishError, escape_unprintable

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """One problem. `path` is "$.spec.drift.tick"; `line` counts from 1, 0 when unknown."""

    path: str
    what: str
    remedy: str
    line: int = 0

    def __str__(self) -> str:
        path = escape_unprintable(self.path)
        at = f"{path} (line {self.line})" if self.line else path
        return f"{at}: {self.what}; {self.remedy}"


class SettingsError(PilotfishError):
    """A document cannot be used; `problems` holds every one that was found, the message shows the first ones."""

    def __init__(self, where: str, problems: Iterable[DocumentProblem]) -> None:
        self.where = where
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        if len(self.problems) > MOST_SHOWN:
            lines.append(f"and {len(self.problems) - MOST_SHOWN} more")
        super().__init__(f"{where}: " + ("\n  " if len(lines) > 1 else "") + "\n  ".join(lines))
