"""Events about objects, as `kubectl describe` and `kubectl events` show them.

    record(...) --> queue --> run(): the first one is created, repetitions are counted and patched into its series

Events are for people. They never hold up a decision: recording does not wait, and what the API server refuses or what
does not fit into the queue is dropped and counted.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from .client import Kube
from .create import create
from .errors import KubeError, NotFoundError
from .objects import EVENTS
from .patch import merge_patch

CONTROLLER = "pilotfish.dev/control"
NORMAL, WARNING = "Normal", "Warning"

MAX_QUEUE = 256  # distinct Events that wait to be written
MAX_SERIES = 1024  # Events whose repetitions are counted; the one that is quiet longest is forgotten
SERIES_GAP = 360.0  # seconds; a repetition after a longer silence is a new Event, as in client-go
SERIES_PAUSE = 60.0  # seconds between two writes of one series
BURST = 25  # Events of one object at once, and one more each REFILL seconds; notes may differ without end
REFILL = 60.0
MAX_NOTE = 1024  # bytes, a limit of the API
MAX_WORD = 128  # bytes of reason, action and instance, a limit of the API

_log = logging.getLogger("pilotfish.kube")


@dataclass(frozen=True)
class _Key:
    """What makes two Events the same."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str
    reason: str
    action: str
    note: str
    type: str


@dataclass(frozen=True)
class _Series:
    """An Event that was recorded. `name` is empty until it is created."""

    count: int
    first: datetime
    last: datetime
    heard_at: float  # by the monotonic clock, as the next one
    name: str = ""
    written: int = 0
    written_at: float = 0.0


class EventRecorder:
    """Records Events of the controller. `instance` names the process: its pod.

    dropped    Events that were not written: the queue or the object's budget was exhausted, or the API server refused
    """

    def __init__(
        self, kube: Kube, instance: str, *, controller: str = CONTROLLER, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.dropped = 0
        self._kube = kube
        self._source = {"reportingController": controller, "reportingInstance": _cut(instance or "unknown", MAX_WORD)}
        self._clock = clock
        self._series: OrderedDict[_Key, _Series] = OrderedDict()
        self._budgets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()  # what is left, and when
        self._waiting: OrderedDict[_Key, None] = OrderedDict()
        self._woken = asyncio.Event()

    def record(self, regarding: Mapping[str, Any], reason: str, action: str, note: str, type: str = NORMAL) -> None:  # noqa: A002
        """Record an Event about an object, as read from the API; `reason` and `action` are CamelCase words.

        Nothing is raised. The same Event within 6 minutes adds to a series, which is written once a minute at most.
        """
        metadata = regarding["metadata"]
        key = _Key(
            regarding.get("apiVersion", ""),
            regarding.get("kind", ""),
            metadata.get("namespace", ""),
            metadata["name"],
            metadata.get("uid", ""),
            _cut(reason, MAX_WORD),
            _cut(action, MAX_WORD),
            _cut(note, MAX_NOTE),
            type,
        )
        now, wall = self._clock(), datetime.now(UTC)
        known = self._series.pop(key, None)
        if known is not None and now - known.heard_at <= SERIES_GAP:
            self._series[key] = replace(known, count=known.count + 1, last=wall, heard_at=now)
        else:
            self._series[key] = _Series(1, wall, wall, now)
        while len(self._series) > MAX_SERIES:
            forgotten, _ = self._series.popitem(last=False)
            if forgotten in self._waiting:
                del self._waiting[forgotten]
                self.dropped += 1
        if key not in self._waiting:
            if len(self._waiting) >= MAX_QUEUE or not (self._series[key].name or self._spend(key, now)):
                self.dropped += 1
                return
            self._waiting[key] = None
        self._woken.set()

    async def run(self) -> None:
        """Write what is recorded until the task is cancelled."""
        while True:
            await self.flush(everything=False)
            self._woken.clear()
            pause = min((self._due(key) for key in self._waiting), default=None)
            try:
                async with asyncio.timeout(None if pause is None else max(0.0, pause - self._clock())):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def flush(self, *, everything: bool = True) -> None:
        """Write what waits, each Event once; without `everything`, only what is due."""
        for key in list(self._waiting):
            if key not in self._waiting:  # forgotten, or written by another call, while the last one was written
                continue
            if not everything and self._due(key) > self._clock():
                continue
            del self._waiting[key]
            found = self._series.get(key)
            if found is not None and found.written < found.count:
                await self._write(key, found)

    def _spend(self, key: _Key, now: float) -> bool:
        """Return whether the object of `key` may get one more Event, and take it from its budget."""
        subject = (key.kind, key.namespace, key.name, key.uid)
        left, since = self._budgets.pop(subject, (float(BURST), now))
        left = min(BURST, left + (now - since) / REFILL)
        self._budgets[subject] = (left - 1 if left >= 1 else left, now)
        while len(self._budgets) > MAX_SERIES:
            self._budgets.popitem(last=False)
        return left >= 1

    def _due(self, key: _Key) -> float:
        """Return when an Event may be written: at once if it is new, or the second one of its series."""
        found = self._series.get(key)
        if found is None or found.written < 2:
            return 0.0
        return found.written_at + SERIES_PAUSE

    async def _write(self, key: _Key, found: _Series) -> None:
        try:
            name = await self._create_or_patch(key, found)
        except KubeError as error:
            self.dropped += 1
            _log.warning("an Event was not written: %s of %s/%s: %s", key.reason, key.namespace, key.name, error)
            return
        present = self._series.get(key)
        if present is not None and present.first == found.first:
            self._series[key] = replace(present, name=name, written=found.count, written_at=self._clock())

    async def _create_or_patch(self, key: _Key, found: _Series) -> str:
        """Write an Event, and return its name. Raises KubeError."""
        namespace = key.namespace or "default"  # Events about objects without a namespace go there
        if found.name:
            try:
                await merge_patch(self._kube, EVENTS, found.name, {"series": _series(found)}, namespace)
            except NotFoundError:  # Events expire, by default after an hour
                pass
            else:
                return found.name
        created = await create(self._kube, EVENTS, self._body(key, found, namespace), namespace)
        return str(created["metadata"]["name"])

    def _body(self, key: _Key, found: _Series, namespace: str) -> dict[str, Any]:
        regarding = {
            "apiVersion": key.api_version,
            "kind": key.kind,
            "namespace": key.namespace,
            "name": key.name,
            "uid": key.uid,
        }
        body: dict[str, Any] = {
            "apiVersion": EVENTS.api_version,
            "kind": "Event",
            "metadata": {"name": f"{key.name[:200]}.{secrets.token_hex(8)}", "namespace": namespace},
            "eventTime": _micro_time(found.first),
            **self._source,
            "regarding": {name: value for name, value in regarding.items() if value},
            "reason": key.reason,
            "action": key.action,
            "note": key.note,
            "type": key.type,
        }
        return {**body, "series": _series(found)} if found.count > 1 else body


def _series(found: _Series) -> dict[str, Any]:
    return {"count": found.count, "lastObservedTime": _micro_time(found.last)}


def _micro_time(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _cut(text: str, limit: int) -> str:
    """Return `text` cut to `limit` bytes of UTF-8."""
    raw = text.encode("utf-8", "replace")
    return raw.decode() if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"
