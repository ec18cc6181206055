"""What a check found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is, from harmless to bad. `hint` may be wrong; `unknown` could not be checked."""

    OK = "ok"
    HINT = "hint"
    UNKNOWN = "unknown"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True)
class ClusterFinding:
    """One sentence about one place, such as `models/deployment/loans`, with its remedy unless the level is `ok`."""

    check: str
    level: Level
    where: str
    what: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the finding as JSON."""
        return asdict(self)


def is_problem(finding: ClusterFinding) -> bool:
    """Return whether somebody should act."""
    return finding.level in {Level.WARNING, Level.ERROR}
