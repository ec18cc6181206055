"""The figures of a soak: each test records what it measured, and `make soak` prints them as a table at its end."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Figures:
    """Measurements by fault, in the order of the tests, and the number of kills so far."""

    lines: dict[str, str] = field(default_factory=dict)
    kills: int = 0

    def record(self, fault: str, measured: str) -> None:
        """Keep a line for the table."""
        self.lines[fault] = measured

    def table(self) -> str:
        """Return the lines as a table in Markdown."""
        rows = [("fault", "measured"), ("---", "---"), *self.lines.items()]
        return "\n".join(f"| {fault} | {measured} |" for fault, measured in rows)


FIGURES = Figures()
