"""What the analyzer is told when it starts. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Paths and addresses.

    shared        the folder that proxy and analyzer share
    admin         HOST:PORT of the analyzer's own HTTP
    document      the ModelMonitor document; None measures traffic only
    state         the folder for what must outlive a restart; None takes the shared one
    token_file    a file with the bearer token that everything but metrics and health asks for; None asks for none
    memory_limit  bytes of data (RLIMIT_DATA) that the process may have; 0 sets no limit
    """

    shared: Path
    admin: str
    document: Path | None = None
    state: Path | None = None
    token_file: Path | None = None
    memory_limit: int = 0

    @property
    def state_folder(self) -> Path:
        """The folder for checkpoint and profile."""
        return self.state or self.shared
