"""Which monitor each pod follows. A pod counts for one monitor, and the targets of several may select it.

Each monitor claims the pods that its target selects. The owner of a pod is the monitor that the pod names itself, else
the oldest one that claims it. So a new monitor never takes pods from another one, and every controller decides alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .key import MonitorKey


@dataclass
class Claims:
    """The claims of all monitors of one leadership. UIDs of pods are unique in a cluster."""

    _ages: dict[MonitorKey, str] = field(default_factory=dict)  # time of creation, in RFC 3339
    _pods: dict[MonitorKey, frozenset[str]] = field(default_factory=dict)
    _claimants: dict[str, set[MonitorKey]] = field(default_factory=dict)
    _named: dict[str, str] = field(default_factory=dict)  # the monitor that a pod names, by UID of the pod
    _revisions: dict[str, int] = field(default_factory=dict)

    def claim(self, key: MonitorKey, created: str, uids: Iterable[str]) -> None:
        """Replace the pods that the target of `key` selects; `created` is when the monitor was created."""
        before, now = self._pods.get(key, frozenset()), frozenset(uids)
        self._ages[key], self._pods[key] = created, now
        for uid in now - before:
            self._claimants.setdefault(uid, set()).add(key)
        for uid in before - now:
            self._claimants[uid].discard(key)
            if not self._claimants[uid]:
                del self._claimants[uid]
                self._named.pop(uid, None)
        if before != now:
            self._changed(key.namespace)

    def release(self, key: MonitorKey) -> None:
        """Forget a monitor that was deleted."""
        self.claim(key, "", ())
        del self._ages[key], self._pods[key]

    def name(self, key: MonitorKey, uid: str) -> None:
        """Record that a pod names the monitor `key` itself; it has no effect on a pod that no monitor claims."""
        if uid in self._claimants and self._named.get(uid) != key.name:
            self._named[uid] = key.name
            self._changed(key.namespace)

    def owner(self, uid: str) -> MonitorKey | None:
        """Return the monitor that the pod follows; None if no target selects it, or not that of the one it names."""
        claimants, named = self._claimants.get(uid, set()), self._named.get(uid)
        found = [key for key in claimants if named in (None, key.name)]
        return min(found, key=lambda key: (self._ages[key], key.name), default=None)

    def revision(self, namespace: str) -> int:
        """Return a number that changes with the owners of the pods in a namespace."""
        return self._revisions.get(namespace, 0)

    def _changed(self, namespace: str) -> None:
        self._revisions[namespace] = self.revision(namespace) + 1
