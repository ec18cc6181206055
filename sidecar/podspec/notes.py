"""Reasons why requests and limits differ from a recommendation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoteReason(StrEnum):
    """Why a resource did not become what was recommended. The value is the reason in a status."""

    INIT_CONTAINER = "InitContainer"
    LIMIT_RANGE = "LimitRange"
    MEMORY_IN_USE = "MemoryInUse"
    NODE_CAPACITY = "NodeCapacity"
    NOT_FOUND = "ContainerNotFound"
    NOT_SET = "NotSet"
    NOT_RESIZABLE = "NotResizable"
    POD_RESOURCES = "PodResources"
    QOS_CLASS = "QosClass"
    QUOTA = "Quota"
    REQUEST_LIMIT = "RequestLimit"
    SERVER_VERSION = "ServerVersion"


@dataclass(frozen=True, slots=True)
class Note:
    """One reason, in words that name the object and the value. `kind` is cpu or memory, empty for both."""

    reason: NoteReason
    text: str
    kind: str = ""
