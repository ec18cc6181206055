"""The options of the sync, as plain values from the command line; all values have been checked there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...sync.messages import Pod

DOCUMENT_FILE = "monitor.json"  # in the folder of the state
MONITORS_FOLDER = "monitors"  # there, too: a folder for what was counted for each ModelMonitor


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncOptions:
    """The controller, and who this pod is.

    url         https://HOST:PORT of the controller
    ca_file     certificates of the authorities that may sign the controller's; None trusts those of the system
    token_file  the token of the pod's service account, which is replaced from time to time
    monitor     name of the ModelMonitor, in the namespace of the pod; empty lets the controller choose
    monitor_uid UID of the ModelMonitor in the stored document, which this process follows; empty without a document
    pod         the pod, as its token says
    """

    url: str
    ca_file: Path | None
    token_file: Path
    monitor: str = ""
    monitor_uid: str = ""
    pod: Pod
