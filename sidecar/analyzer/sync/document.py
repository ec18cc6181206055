"""The document from the controller, stored in the folder of the state, so that a pod starts without the controller."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from ...errors import PilotfishError, quote_value
from ...settings.yamltree import MAX_DOCUMENT_BYTES
from ...system.files import read_file, replace_file
from ..configuration import document_problem


class DocumentRefusedError(PilotfishError):
    """A document from the controller that cannot be used or stored."""


class _Metadata(msgspec.Struct):
    generation: int = 0


class _Document(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


class StoredDocument:
    """The document at `path`, as JSON. `generation` is that of the present content, 0 without one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.generation = _generation(path)

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
        self.generation = generation


def _generation(path: Path) -> int:
    try:
        return msgspec.json.decode(read_file(path, MAX_DOCUMENT_BYTES), type=_Document).metadata.generation
    except (OSError, msgspec.MsgspecError, RecursionError):
        return 0
