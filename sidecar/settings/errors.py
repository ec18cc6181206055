"""Problems of a document: path, value and remedy. Control characters of the document never reach the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import PilotfishError, escape_unprintable, redact_urls

MOST_PROBLEMS = 100  # that are collected: each takes memory and a comparison with the known keys
MOST_SHOWN = 20
LONGEST_PATH = 200  # characters of a path that are shown


@dataclass(frozen=True, slots=True)
class DocumentProblem:
    """One problem. `path` is like "$.spec.drift.tick"; `line` counts from 1 and is 0 if unknown."""

    path: str
    what: str
    remedy: str
    line: int = 0

    def __str__(self) -> str:
        path = redact_urls(self.path)
        path = escape_unprintable(path if len(path) <= LONGEST_PATH else f"{path[:LONGEST_PATH]}…")
        at = f"{path} (line {self.line})" if self.line else path
        return f"{at}: {self.what}; {self.remedy}"


class SettingsError(PilotfishError):
    """The document has problems. `problems` holds all of them; the message, one line, the first `MOST_SHOWN`."""

    def __init__(self, where: str, problems: Iterable[DocumentProblem]) -> None:
        self.where = where
        self.problems = tuple(problems)
        count = len(self.problems)
        if count == 1:
            super().__init__(f"{where}: {self.problems[0]}")
            return
        shown = [f"({number}) {problem}" for number, problem in enumerate(self.problems[:MOST_SHOWN], 1)]
        more = [f"and {count - MOST_SHOWN} more"] if count > MOST_SHOWN else []
        least = "at least " if count == MOST_PROBLEMS else ""
        super().__init__(f"{where}: {least}{count} problems: {', '.join([*shown, *more])}")
