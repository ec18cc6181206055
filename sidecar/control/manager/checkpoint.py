"""The stored state of one monitor: the document in force, and the detectors by version.

MessagePack. A later release may add fields with defaults; a state of another FORMAT is refused, and the monitor starts
without it.
"""

from __future__ import annotations

import msgspec

from ...errors import PilotfishError
from ..scale.manual import ManualChange

FORMAT = 1


class MonitorStateError(PilotfishError):
    """A stored state that cannot be read."""


class DetectorCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the detector of one version. It is valid for this profile and tick only."""

    version: str
    profile_hash: str
    tick_seconds: float
    data: bytes


class ScalingCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What another leader needs to know about replicas: the encoded state of the recommender, and a manual change."""

    recommender: bytes = b""
    manual: ManualChange | None = None


class ResizingCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """What another leader needs to know about resources.

    It has the encoded state of the recommender, the identities of the kills for memory that it has seen, and when the
    last one was, in epoch seconds. `subject` is the container that the state is about, with its target.
    """

    subject: str = ""
    recommender: bytes = b""
    kills: tuple[str, ...] = ()
    killed_at: float = 0.0


class MonitorCheckpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of a monitor that another leader needs, except its ledger and learned profiles.

    `document` is the JSON of the document in force. `primary` is the version that retraining and status refer to.
    """

    format: int = FORMAT
    document: bytes = b""
    primary: str | None = None
    detectors: tuple[DetectorCheckpoint, ...] = ()
    scaling: ScalingCheckpoint = ScalingCheckpoint()
    resizing: ResizingCheckpoint = ResizingCheckpoint()


def encode(state: MonitorCheckpoint) -> bytes:
    """Return `state` as MessagePack."""
    return msgspec.msgpack.encode(state)


def decode(data: bytes) -> MonitorCheckpoint:
    """Return the state in `data`; raise MonitorStateError."""
    try:
        found = msgspec.msgpack.decode(data, type=MonitorCheckpoint)
    except (msgspec.DecodeError, RecursionError) as error:
        raise MonitorStateError(f"the stored state is damaged: {error}; the monitor starts without it") from error
    if found.format != FORMAT:
        raise MonitorStateError(
            f"the stored state has format {found.format}, not {FORMAT}; the monitor starts without it"
        )
    return found
