"""The newest load of every pod, whichever monitor the pod follows: of several monitors of a target, one scales it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...sync.messages import Signals

FORGOTTEN_SECONDS = 600.0


@dataclass
class SignalBook:
    """Signals by the UID of the pod, with the time of their arrival in epoch seconds."""

    _found: dict[str, tuple[float, Signals]] = field(default_factory=dict)  # in the order of arrival

    def take(self, signals: Signals, now: float) -> None:
        """Take the load of a pod; pods that have sent nothing for FORGOTTEN_SECONDS are forgotten."""
        self._found.pop(signals.pod.uid, None)
        self._found[signals.pod.uid] = now, signals
        while now - next(iter(self._found.values()))[0] > FORGOTTEN_SECONDS:
            del self._found[next(iter(self._found))]

    def of(self, uids: Iterable[str]) -> Mapping[str, tuple[float, Signals]]:
        """Return the newest load of the pods `uids`; a pod without one is left out."""
        return {uid: self._found[uid] for uid in uids if uid in self._found}
