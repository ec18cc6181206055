"""The messages between a pod's analyzer and the controller, as MessagePack.

`decode` is the only reader. Unknown fields are ignored, and every field that a release
adds has a default, so that both sides may be one release apart.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from ..errors import PilotfishError

VERSION = 1
CONTENT_TYPE = "application/msgpack"
SYNC_PATH = "/v1/sync"
SIGNALS_PATH = "/v1/signals"
LABELS_PATH = "/v1/labels"
PROFILE_PATH = "/v1/profiles/"  # followed by the hash of the profile
MAX_REQUEST_BYTES = 8 * 1024 * 1024
MAX_SIGNALS_BYTES = 1024
MAX_TICKS = 240  # in one request; the rest follows in the next one

Name = Annotated[str, Meta(max_length=253)]
Text = Annotated[str, Meta(max_length=1000)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Quantity = Annotated[float, Meta(ge=0, le=1e12)]  # excludes NaN, too: one pod must not decide on the mean of all

Share = Annotated[float, Meta(ge=0, le=1)]

Message = TypeVar("Message")


class MessageError(PilotfishError):
    """A message that cannot be read."""


class Pod(Struct, frozen=True, kw_only=True):
    """The pod that sends. The controller compares all three with those of the request's token."""

    namespace: Name
    name: Name
    uid: Name


class TickReport(Struct, frozen=True, kw_only=True):
    """The cumulative counts of one tick of one epoch, in the form of `counts.encode_counts`.

    `sequence` is the number of rows in them, so that counts with a higher one include those with a lower one.
    """

    tick: int
    sequence: int
    counts: bytes


class SyncRequest(Struct, frozen=True, kw_only=True):
    """What a pod knows.

    `monitor` is the name of the ModelMonitor, in the namespace of the pod; empty lets the controller choose.
    `monitor_uid` is the UID of the one whose document these counts were made with; empty without a document, or from a
    pod of the release before. `profile_hash` is that of the profile in force, empty without one; `ticks` are counts of
    that profile. All ticks up to `complete_through` are closed in this pod; -1 means none. `generation` is that of the
    document in force, 0 without one. `learned` is the hash of a profile that this pod has learned and offers by `PUT
    PROFILE_PATH + hash`. `leaving` is True in the last request of a pod; its `ticks` may then contain open ticks, later
    than `complete_through`, which count as far as they go. `problem` is why the pod does not follow the last response,
    or empty.

    After a change of profile, a pod reports the ticks that it counted against the earlier one in requests of their own.
    Such a request has the epoch and the `profile_hash` of these ticks.
    """

    version: int = VERSION
    pod: Pod
    release: Name = ""
    monitor: Name
    monitor_uid: Name = ""
    epoch: Name
    model: Text = ""
    model_version: Text = ""
    profile_hash: Name = ""
    tick_seconds: float = 60.0
    complete_through: int = -1
    ticks: tuple[TickReport, ...] = ()
    generation: int = 0
    learned: Name = ""
    leaving: bool = False
    problem: Text = ""


class Acknowledgement(Struct, frozen=True, kw_only=True):
    """The counts of `tick` up to `sequence` survive a restart of the controller."""

    tick: int
    sequence: int


class SyncResponse(Struct, frozen=True, kw_only=True):
    """What the controller wants of a pod.

    `monitor` and `monitor_uid` are the ModelMonitor that the pod should follow. Both are empty if the request names
    none and no monitor targets the pod: the pod then drops its document.
    `document` is the JSON of the ModelMonitor when UID or `generation` differ from the request's, else empty.
    `profile_hash` is that of the profile that the pod's version should use, fetched by `GET PROFILE_PATH + hash`; empty
    while there is none. `learn` asks the pod to learn one. `problem` is a text for the pod's report.
    """

    version: int = VERSION
    acknowledged: tuple[Acknowledgement, ...] = ()
    monitor: str = ""
    monitor_uid: str = ""
    generation: int = 0
    document: bytes = b""
    profile_hash: str = ""
    learn: bool = False
    problem: str = ""


class Signals(Struct, frozen=True, kw_only=True):
    """The load of a pod, every 5 seconds; at most MAX_SIGNALS_BYTES. Durations are in seconds, rates per second.

    `in_flight` is the number of requests in flight at `at`, `concurrency` their mean over the interval; None from a
    release before, or without a proxy. `quiet` is for how long the proxy has seen nothing but probes; 0 if that is not
    known. Probes are in no other field. `throttled` is the share of the last interval in which the model wanted to run
    and its CPU limit did not let it. `gpu_busy` is the share in which a kernel ran on the GPUs of the model, whatever
    part of them it used. Both are None if the pod does not see that, or from a release before.
    """

    version: int = VERSION
    pod: Pod
    monitor: Name
    at: float
    in_flight: Count = 0
    requests_per_second: Quantity = 0.0
    errors_per_second: Quantity = 0.0
    latency_p50: Quantity = 0.0
    latency_p95: Quantity = 0.0
    latency_p99: Quantity = 0.0
    quiet: Quantity = 0.0
    concurrency: Quantity | None = None
    throttled: Share | None = None
    gpu_busy: Share | None = None


class LabelDelivery(Struct, frozen=True, kw_only=True):
    """Labels for one pod to look up, or to join and count.

    `labels` is the MessagePack of `labels.LabelBatch`, with keys instead of request ids. With `look_up`, the pod
    returns the outcomes that the labels would have, and changes nothing. A pod that receives a delivery twice counts
    its labels once, since its journal recognises them.
    """

    id: Name
    labels: bytes
    look_up: bool = False


class LabelResult(Struct, frozen=True, kw_only=True):
    """What a pod made of a delivery.

    `outcomes` has one byte per label, in order: the index in `labels.OUTCOMES`; it is empty if the pod could not count
    them (`problem` says why). `judged` is the number of labels that were scored. `note` is that of a feedback response.
    """

    id: Name
    outcomes: bytes = b""
    judged: int = 0
    note: Text = ""
    problem: Text = ""


class SignalsResponse(Struct, frozen=True, kw_only=True):
    """The response to Signals and to LabelResults: the labels that wait for this pod.

    The pod counts them, and sends the results to LABELS_PATH as soon as they are durable. The response to the results
    has the next deliveries.
    """

    version: int = VERSION
    labels: tuple[LabelDelivery, ...] = ()


class LabelResults(Struct, frozen=True, kw_only=True):
    """The results of deliveries, sent to LABELS_PATH."""

    version: int = VERSION
    pod: Pod
    monitor: Name
    results: tuple[LabelResult, ...] = ()


def encode(message: SyncRequest | SyncResponse | Signals | SignalsResponse | LabelResults) -> bytes:
    """Return `message` as MessagePack."""
    return msgspec.msgpack.encode(message)


def decode(body: bytes, kind: type[Message]) -> Message:
    """Return the message of `kind` in `body`; raise MessageError for anything else."""
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        reason = "a text is not UTF-8" if isinstance(error, UnicodeDecodeError) else error
        raise MessageError(f"cannot read a {kind.__name__}: {reason}; send MessagePack of this release") from error
