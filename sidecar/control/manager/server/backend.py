"""What the HTTP server needs from the rest of the controller. `manager` implements `Backend`; tests use a small one.

The server authenticates and authorises every request, bounds and decodes its body, and then calls one method. It passes
on only a `Pod` that equals the one of the request's token.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from ....sync.messages import Pod, Signals, SyncRequest, SyncResponse
from ....telemetry.fleet import ControllerReading

MayCreate = Callable[[str, str], Awaitable[bool]]  # (namespace, monitor): may the caller create its subresource?


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPods:
    """The pods of one monitor that can count labels.

    Attributes:
        uids: UIDs of the pods that exist now and have synced with this controller.
        unsynced: UIDs of the other pods that exist now; they count labels as soon as they fetch some.
        left: whether a pod of this monitor that served within `spec.feedback.keep` no longer exists.
    """

    uids: frozenset[str]
    unsynced: frozenset[str] = frozenset()
    left: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsAnswer:
    """What became of the alerts of one Alertmanager request: numbers, and the first problems with their remedies."""

    accepted: int = 0
    ignored: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleAnswer:
    """The number of replicas that a monitor recommends for its target.

    Attributes:
        desired: the number; None if there is no current one.
        current: the replicas of the target; None if they are not known.
        reason: why, as a value of `Reason`.
        message: why, in a sentence.
        at: when the number was computed, in epoch seconds; 0 for never.
        problem: why there is no current number, and what to do; empty if there is one.
    """

    desired: int | None = None
    current: int | None = None
    reason: str = ""
    message: str = ""
    at: float = 0.0
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerState:
    """What `/readyz` shows.

    Attributes:
        role: "leader", "standby", or "starting" until the mirrors of monitors and pods are complete.
        contact_age: seconds since the API server was last heard; None if never.
        problems: one sentence each, with the remedy.
    """

    role: str
    contact_age: float | None = None
    problems: tuple[str, ...] = ()


class Backend(Protocol):
    """The controller behind the server. All methods run in the server's event loop and return soon.

    Methods that serve a request raise RefusedRequestError for what a client has to change or repeat, and KubeError
    while the API server cannot be used; the server answers 503 with Retry-After for the latter.
    """

    @property
    def leading(self) -> bool:
        """Whether this process is the leader now. If not, the server answers 503 without calling anything below."""
        ...

    def state(self) -> ControllerState:
        """Return the state for `/readyz`."""
        ...

    def reading(self) -> ControllerReading:
        """Return the values of one scrape."""
        ...

    def knows(self, namespace: str, monitor: str) -> bool:
        """Return whether this controller knows this ModelMonitor; only such names become labels of metrics."""
        ...

    def has_pod(self, namespace: str, monitor: str, uid: str) -> bool:
        """Return whether the pod exists and belongs to this ModelMonitor; called for each request of a pod."""
        ...

    def pods_of(self, namespace: str, monitor: str) -> MonitorPods | None:
        """Return the pods of a monitor; None if this controller knows no such ModelMonitor."""
        ...

    def monitor_of(self, pod: Pod, named: str) -> str:
        """Return the name of the monitor that `pod` follows; empty if the pod named none and none targets it."""
        ...

    async def sync(self, request: SyncRequest) -> SyncResponse:
        """Take the counts of a pod; return acknowledgements and what the pod should use."""
        ...

    async def signals(self, signals: Signals) -> None:
        """Take the load of a pod."""
        ...

    async def profile(self, pod: Pod, profile_hash: str) -> bytes | None:
        """Return the JSON of a profile that a monitor of `pod` uses or has been offered; None for any other hash."""
        ...

    async def offer_profile(self, pod: Pod, profile_hash: str, body: bytes) -> None:
        """Take a learned profile. `body` is its decompressed JSON, and `profile_hash` has been verified.

        The first profile offered is frozen for all pods of the monitor's version; later ones are ignored.
        """
        ...

    def scale(self, namespace: str, monitor: str) -> ScaleAnswer | None:
        """Return the recommended replicas of a monitor; None if this controller knows no such ModelMonitor."""
        ...

    async def alerts(self, body: bytes, may_create: MayCreate) -> AlertsAnswer:
        """Take the decompressed body of an Alertmanager webhook.

        Call `may_create` for the namespace and monitor of each alert, and count an alert of a monitor for which it
        returns False as ignored. Raise RefusedRequestError with 403 if all alerts are ignored for this reason.
        """
        ...
