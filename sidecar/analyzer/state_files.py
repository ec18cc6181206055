"""The list of all files in the folders `--state` and `--shared`. `tests/analyzer/test_state_files.py` damages each one.

Add a file here before you write it: the test fails for a file that is not in the list.
"""

from __future__ import annotations

from shutil import rmtree

from ..channel import PAGE_FILE, SETTINGS_FILE, SOCKET_FILE, UPSTREAMS_FILE
from ..system.files import remove_staged
from .audit import AUDIT_FILE
from .checkpoint import CHECKPOINT_FILE
from .options import Options
from .profile_builder import OUT_FILE
from .profile_store import PREVIOUS_FILE, STORED_FILE
from .row_stores import ROWS_FOLDER
from .sync.options import DOCUMENT_FILE, MONITORS_FOLDER
from .totals_file import TOTALS_FILE

LOCK_FILE = "lock"
STATE_FILES = (
    AUDIT_FILE,
    f"{AUDIT_FILE}.1",
    CHECKPOINT_FILE,
    "feedback-*.log",
    LOCK_FILE,
    "outbox.jsonl",  # of the control loop, a package beside this one
    STORED_FILE,
    PREVIOUS_FILE,
)
ROW_FILES = ("*.rows", OUT_FILE)
PROXY_FILES = (PAGE_FILE, UPSTREAMS_FILE)
SHARED_FILES = (SETTINGS_FILE, SOCKET_FILE, TOTALS_FILE)


def remove_unfinished(options: Options) -> None:
    """Remove the new files that a killed analyzer left; call it while this process holds the locks of the folders.

    What was counted for a ModelMonitor that this pod no longer follows is removed, too.
    """
    if options.control is not None:
        remove_staged(options.base_folder, (DOCUMENT_FILE,))
        for folder in (options.base_folder / MONITORS_FOLDER).glob("*"):
            if folder != options.state_folder:
                rmtree(folder, ignore_errors=True)
    remove_staged(options.state_folder, STATE_FILES)
    remove_staged(options.state_folder / ROWS_FOLDER, ROW_FILES)
    remove_staged(options.shared, SHARED_FILES)
