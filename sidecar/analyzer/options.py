"""The options of the analyzer, as plain values from the command line. `startup.py` checks them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..resources.source import SourceOptions, own_process
from .peer import Peer
from .sync.followed import folder_name
from .sync.options import DOCUMENT_FILE, MONITORS_FOLDER, SyncOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Paths, addresses and limits.

    shared        the folder that proxy and analyzer share
    admin         HOST:PORT of the admin address
    document      the ModelMonitor document of the command line; None counts traffic only, or follows `control`
    state         the folder for everything that must survive a restart; None means the shared folder
    admin_hosts   further names that a request may have as its Host
    token_file    a file with the bearer token, required for all paths except metrics and health; None requires none
    memory_limit  the limit on the process's data in bytes (RLIMIT_DATA); 0 sets no limit
    cluster       whether the process runs in a pod, where settings for a cluster have an effect
    control       the controller that this pod follows; None without one
    resources     how to find the processes of the model server
    node          `pilotfish node` of this node, which has the figures of this pod; None without one
    """

    shared: Path
    admin: str
    document: Path | None = None
    state: Path | None = None
    admin_hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    memory_limit: int = 0
    cluster: bool = False
    control: SyncOptions | None = None
    resources: SourceOptions = field(default_factory=own_process)
    node: Peer | None = None

    @property
    def document_path(self) -> Path | None:
        """The file of the document: of the command line, or the one that the controller sent."""
        return self.document if self.control is None else self.base_folder / DOCUMENT_FILE

    @property
    def base_folder(self) -> Path:
        """The folder that `state` names, with the lock."""
        return self.state or self.shared

    @property
    def state_folder(self) -> Path:
        """The folder for checkpoint, journal, rows and profile.

        A pod has one for each ModelMonitor that it follows, so that nothing that was counted for one reaches another.
        """
        followed = self.control.monitor_uid if self.control is not None else ""
        return self.base_folder / MONITORS_FOLDER / folder_name(followed) if followed else self.base_folder
