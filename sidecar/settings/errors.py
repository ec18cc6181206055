"""Problems of a document: path, value and remedy. Control characters of the document never reach the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import PilotfishError, escape_unprintable

MOST_SHOWN = 20


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """One problem. `path` is like "$.spec.drift.tick"; `line` counts from 1 and is 0 if unknown."""

    path: str
    what: str
    remedy: str
    line: int = 0

    def __str__(self) -> str:
        path = escape_unprintable(self.path)
        at = f"{path} (line {self.line})" if self.line else path
        return f"{at}: {self.what}; {self.remedy}"


class SettingsError(PilotfishError):
    """The document has problems. `problems` holds all of them; the message shows the first `MOST_SHOWN`."""

    def __init__(self, where: str, problems: Iterable[DocumentProblem]) -> None:
        self.where = where
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        if len(self.problems) > MOST_SHOWN:
            lines.append(f"and {len(self.problems) - MOST_SHOWN} more")
        super().__init__(f"{where}: " + ("\n  " if len(lines) > 1 else "") + "\n  ".join(lines))
