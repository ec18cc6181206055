"""The document from the controller, stored in the folder of the state, so that a pod starts without the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ...errors import PilotfishError, quote_value
from ...system.files import replace_file
from ..configuration import document_problem
from .followed import DocumentIdentity, stored_identity


class DocumentRefusedError(PilotfishError):
    """A document from the controller that cannot be used or stored."""


class StoredDocument:
    """The document at `path`, as JSON.

    `generation` and `uid` are those of the ModelMonitor in the present content; 0 and empty without one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._use(stored_identity(path))

    def _use(self, found: DocumentIdentity) -> None:
        self.generation, self.uid = found.generation, found.uid

    def store(self, raw: bytes, generation: int) -> None:
        """Check the document `raw` and replace the file with it; the watcher of the file then restarts the analyzer.

        Raises DocumentRefusedError; the previous document stays.
        """
        try:
            document = msgspec.json.decode(raw, type=dict[str, Any])
            document["metadata"] = {**document.get("metadata", {}), "generation": generation}
        except (msgspec.MsgspecError, RecursionError, TypeError) as error:
            raise DocumentRefusedError(f"the document of the controller is not a JSON object: {error}") from error
        content = msgspec.json.encode(document)
        if problem := document_problem(content, "the document of the controller"):
            raise DocumentRefusedError(f"{problem}; the previous document stays in force")
        try:
            replace_file(self._path, content, durable=True, mode=0o600)
        except OSError as error:
            raise DocumentRefusedError(
                f"cannot store the document of the controller in {quote_value(self._path)}: {error.strerror}; "
                "make room in --state"
            ) from error
        self._use(stored_identity(self._path))

    def remove(self) -> None:
        """Remove the file, since no ModelMonitor targets this pod; the watcher then restarts the analyzer.

        Raises DocumentRefusedError if the file cannot be removed.
        """
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            raise DocumentRefusedError(
                f"cannot remove the document {quote_value(self._path)} of a ModelMonitor that this pod no longer "
                f"follows: {error.strerror}; make --state writable"
            ) from error
        self._use(DocumentIdentity())
