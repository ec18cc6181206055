"""The response of `pilotfish node`: the figures of the pod whose token the request has. JSON.

All amounts are counters of the kernel or of the node's process, so that a request that fails loses nothing. A value
that is not known is None, never 0.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ...errors import PilotfishError
from ..gpu.problems import GpuReason
from ..gpu.sample import GpuSample

PATH = "/v1/pod"
AUDIENCE = "pilotfish-node"  # of the token
MOST_BYTES = 1024 * 1024


class FiguresError(PilotfishError):
    """A response that is not one of `pilotfish node`."""


class ContainerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The cgroup of one container. `id` is the runtime's; the counters start anew when it changes.

    Times in ns, memory in bytes. `memory` is the working set, as the kubelet counts it.
    """

    name: str
    id: str
    version: Literal[1, 2]
    processes: int
    threads: int
    cpu_ns: int
    throttled_ns: int | None = None
    pressure_ns: dict[str, int] = {}
    memory: int | None = None
    memory_limit: int | None = None
    oom_kills: int | None = None


class UnitSum(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one GPU or MIG instance since the node's process began to measure.

    For a MIG instance, `card` is the UUID of its GPU and `share` the part of it. `timed` and `powered` say whether
    time and energy are known.
    """

    uuid: str
    card: str = ""
    share: float = 1.0
    measured_seconds: float = 0.0
    busy_seconds: float = 0.0
    energy_joules: float = 0.0
    estimated_joules: float = 0.0
    timed: bool = False
    powered: bool = False


class ProcessSum(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one process of the pod on one GPU or MIG instance."""

    pid: int
    unit: str
    measured_seconds: float
    busy_seconds: float


class GpuFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The GPUs of the pod.

    Attributes:
        since: identity of the counters `busy_ns`, `card_ns` and `energy_uj`; they start anew when it changes.
        busy_ns: time in which a kernel of the pod ran.
        card_ns: time of the cards, or the pod's part of it.
        energy_uj: energy of the cards, or the pod's part of it, in microjoules.
        notes: how the part of the pod was found, where that is an estimate.
        sample: the newest sample of the pod's GPUs. Processes of other pods have the id 0 and no values.
        sums, processes, xids: sums of the GPUs, of the pod's processes, and Xid errors as (GPU, number, count).
        restarts: how often the sampling process of the node ended, by reason.
    """

    since: str
    busy_ns: int | None
    card_ns: int | None
    energy_uj: int | None
    notes: tuple[str, ...] = ()
    sample: GpuSample
    sums: tuple[UnitSum, ...] = ()
    processes: tuple[ProcessSum, ...] = ()
    xids: tuple[tuple[str, int, int], ...] = ()
    restarts: dict[GpuReason, int] = {}


class PodFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of one pod.

    Attributes:
        node: name of the node.
        next_seconds: after which time to ask again; it grows with the number of pods that ask.
        oom_kills: kills for memory in the whole pod, also in containers that no longer exist.
        received, sent: bytes of the pod's network, without loopback.
        gpu: None if the pod has no GPU.
        problems: what is missing and why, in sentences.
    """

    node: str
    next_seconds: float = 1.0
    containers: tuple[ContainerFigures, ...] = ()
    oom_kills: int | None = None
    received: int | None = None
    sent: int | None = None
    gpu: GpuFigures | None = None
    problems: tuple[str, ...] = ()


_DECODER = msgspec.json.Decoder(PodFigures)


def encode(figures: PodFigures) -> bytes:
    """Return the body of a response."""
    return msgspec.json.encode(figures)


def decode(raw: bytes) -> PodFigures:
    """Return the figures in the body of a response; raise FiguresError."""
    try:
        return _DECODER.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise FiguresError(
            f"the response of the node cannot be read: {error}; use the same release on both sides"
        ) from error
