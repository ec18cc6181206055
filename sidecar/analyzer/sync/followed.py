"""Which ModelMonitor a pod follows: the identity in the stored document, and the folder for what is counted for it."""

from __future__ import annotations

import hashlib
import re
from contextlib import suppress
from pathlib import Path

import msgspec

from ...settings.yamltree import MAX_DOCUMENT_BYTES
from ...system.files import read_file

_FOLDER = re.compile(r"[0-9a-f][0-9a-f-]{0,62}", re.ASCII)


class DocumentIdentity(msgspec.Struct, frozen=True):
    """UID and generation of a ModelMonitor, as in the metadata of its document."""

    uid: str = ""
    generation: int = 0


class _Document(msgspec.Struct):
    metadata: DocumentIdentity = DocumentIdentity()


def stored_identity(path: Path) -> DocumentIdentity:
    """Return the identity in the document at `path`; an empty one without a document."""
    with suppress(OSError, msgspec.MsgspecError, RecursionError):
        return msgspec.json.decode(read_file(path, MAX_DOCUMENT_BYTES), type=_Document).metadata
    return DocumentIdentity()


def folder_name(uid: str) -> str:
    """Return the name of the folder for what is counted for the ModelMonitor `uid`."""
    return uid if _FOLDER.fullmatch(uid) else hashlib.sha256(uid.encode()).hexdigest()
