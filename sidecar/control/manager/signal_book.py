"""The recent load of every pod, whichever monitor the pod follows: of several monitors of a target, one scales it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...sync.messages import Signals

FORGOTTEN_SECONDS = 600.0
KEPT = 60  # signals of one pod, those of the longest interval of a recommender

Arrived = tuple[float, Signals]  # the time of arrival in epoch seconds, and what arrived


@dataclass
class SignalBook:
    """Signals by the UID of the pod, the oldest first."""

    _found: dict[str, deque[Arrived]] = field(default_factory=dict)  # the pod that was heard last is the last one

    def take(self, signals: Signals, now: float) -> None:
        """Take the load of a pod; pods that have sent nothing for FORGOTTEN_SECONDS are forgotten."""
        known = self._found.pop(signals.pod.uid, deque[Arrived](maxlen=KEPT))
        known.append((now, signals))
        self._found[signals.pod.uid] = known
        while now - next(iter(self._found.values()))[-1][0] > FORGOTTEN_SECONDS:
            del self._found[next(iter(self._found))]

    def newest(self, uids: Iterable[str]) -> Mapping[str, Arrived]:
        """Return the newest load of the pods `uids`; a pod without one is left out."""
        return {uid: self._found[uid][-1] for uid in uids if uid in self._found}

    def recent(self, uids: Iterable[str], begin: float, end: float) -> Mapping[str, tuple[Arrived, ...]]:
        """Return the loads of the pods `uids` from `begin`, exclusive, to `end`; a pod without one is left out."""
        found = {}
        for uid in uids:
            if loads := tuple(item for item in self._found.get(uid, ()) if begin < item[0] <= end):
                found[uid] = loads
        return found
