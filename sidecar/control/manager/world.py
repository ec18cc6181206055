"""What a monitor's runtime needs from outside: the mirrors of the API server, its store, and the effects that it causes.

`app.py` builds one World for the process; tests build small ones. Everything that may wait is a coroutine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ...kube.errors import KubeError
from ...settings.document import ModelMonitor, ProfileSource, TargetRef
from ..app import Lane
from ..store import StateStore
from .audit import Audit
from .key import MonitorKey
from .selectors import Selector
from .switch import KillSwitch

Item = Mapping[str, Any]


class RecordEvent(Protocol):
    """Records a Kubernetes Event about the object `regarding`; never fails and never waits for long."""

    async def __call__(self, regarding: Item, reason: str, action: str, note: str, type_: str, /) -> None:
        """Record the event; `type_` is "Normal" or "Warning"."""


class PodSource(Protocol):
    """The pods with a sidecar by namespace; `revision` changes when one of them changes."""

    def pods_in(self, namespace: str) -> Sequence[Item]:
        """Return the pods of a namespace."""

    def revision(self, namespace: str) -> int:
        """Return a number that changes with the pods of a namespace."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The surroundings of all runtimes.

    Attributes:
        clock, monotonic: epoch seconds, and seconds that never jump.
        contact_age: seconds since the API server was last heard.
        check_leading: raises NotLeaderError when this process must not act.
        pods: the pods with a sidecar, as objects of the API server.
        find_selector: the selector of a target; raises TroubleError.
        fetch_profile: the bytes of a profile from a ConfigMap or URL; raises TroubleError.
        store: the states of all monitors.
        lanes: the executors that a document configures.
        write_status: replaces the status of an object, unless it has changed since; raises KubeError.
        record: records an Event.
    """

    clock: Callable[[], float]
    monotonic: Callable[[], float]
    contact_age: Callable[[], float]
    check_leading: Callable[[], object]
    pods: PodSource
    find_selector: Callable[[str, TargetRef], Awaitable[Selector]]
    fetch_profile: Callable[[MonitorKey, ProfileSource], Awaitable[bytes]]
    store: StateStore
    lanes: Callable[[ModelMonitor, MonitorKey], Mapping[str, Lane]]
    write_status: Callable[[Item, Mapping[str, Any]], Awaitable[None]]
    record: RecordEvent
    audit: Audit
    kill_switch: KillSwitch

    def may_act(self) -> bool:
        """Return whether this process leads now."""
        try:
            self.check_leading()
        except KubeError:
            return False
        return True
