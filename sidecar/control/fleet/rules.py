"""The rules by which the ticks of a fleet close: quorum, times and bounds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRules:
    """When a tick may close, and how much is kept in the meantime. Times are in seconds.

    Attributes:
        quorum: smallest share of the pods that served a tick that must be complete for it to count.
        grace: time after the end of a tick, and after the start of a leader, in which all pods are waited for. Pods
            send each closed tick within a minute.
        start_up: time for which a new pod that was never heard is left out of the quorum.
        resend: time for which a pod resends counts; a tick is held for at most this time after its end.
        skew: how far the clock of a pod may be ahead of the controller's.
        heard: a pod counts as heard if its last message is at most this old.
        open_bytes: largest size of the counts of open ticks; further reports are refused until a tick closes.
        stored_bytes: largest size of these counts in a checkpoint, before compression; pods resend the others.
        pods: largest number of pods of which something is known.
        epochs: largest number of epochs of one pod in one tick.
    """

    quorum: float = 0.8
    grace: float = 90.0
    start_up: float = 180.0
    resend: float = 3600.0
    skew: float = 60.0
    heard: float = 180.0
    open_bytes: int = 256 * 1024 * 1024
    stored_bytes: int = 8 * 1024 * 1024
    pods: int = 20_000
    epochs: int = 16
