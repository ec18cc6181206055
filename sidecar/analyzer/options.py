"""The options of the analyzer, as plain values from the command line. `startup.py` checks them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Paths, addresses and limits.

    shared        the folder that proxy and analyzer share
    admin         HOST:PORT of the admin address
    document      the ModelMonitor document; None counts traffic only
    state         the folder for everything that must survive a restart; None means the shared folder
    admin_hosts   further names that a request may have as its Host
    token_file    a file with the bearer token, required for all paths except metrics and health; None requires none
    memory_limit  the limit on the process's data in bytes (RLIMIT_DATA); 0 sets no limit
    cluster       whether the process runs in a pod, where settings for a cluster have an effect
    """

    shared: Path
    admin: str
    document: Path | None = None
    state: Path | None = None
    admin_hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    memory_limit: int = 0
    cluster: bool = False

    @property
    def state_folder(self) -> Path:
        """The folder for checkpoint, journal, rows and profile."""
        return self.state or self.shared
