"""Who leads, decided from what was read and written of one Lease. Pure: time is an argument, nothing is sent.

The rules are those of client-go's leader election. Two of them keep two processes from leading at the same time:

- The leader counts from the moment before it sent its last successful write. It leads for `renew_deadline` seconds.
- Others count from the moment after they first read a state of the Lease. They wait for its `leaseDurationSeconds`,
  which is longer, and then write with the resourceVersion that they read. They also wait after someone deletes the
  Lease. Only a process that never saw it creates a missing Lease at once, so nobody should delete it.

Both use their own monotonic clocks. The times in the Lease are for people: the clocks of two nodes may differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

NEVER = -math.inf


@dataclass(frozen=True)
class LeaseTiming:
    """The times of an election, in seconds, with the defaults of client-go.

    duration         how long others wait after the last change that they saw
    renew_deadline   how long the leader leads after its last successful write; the rest of `duration` is for clocks
                     that run at different rates and for writes under way
    retry            between two attempts
    request          the limit of one request, so that a leader whose call hangs can try again in time
    """

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0
    request: float = 4.0

    def __post_init__(self) -> None:
        if not 0 < max(self.request, self.retry) < self.renew_deadline < self.duration:
            raise ValueError(f"not request, retry < renew_deadline < duration: {self}")


@dataclass(frozen=True)
class LeaseWrite:
    """A Lease to write: created if `exists` is false, else replaced with the resourceVersion that it contains."""

    body: dict[str, Any]
    exists: bool


class Election:
    """What one process observed of the Lease, and how long it leads. `identity` must be unique to the process."""

    def __init__(self, namespace: str, name: str, identity: str, timing: LeaseTiming) -> None:
        self.identity = identity
        self._place = {"namespace": namespace, "name": name}
        self._timing = timing
        self._lease: Mapping[str, Any] | None = None
        self._observed_at = NEVER
        self._others_until = NEVER  # another process may lead until then, as far as this one observed
        self._leads_until = NEVER
        self._expires_at = NEVER
        self._current = False

    @property
    def current(self) -> bool:
        """Whether the Lease as last observed can be replaced; if not, it has to be read first."""
        return self._current

    @property
    def holder(self) -> str:
        """The identity in the Lease as last observed, or an empty string."""
        return str(_spec(self._lease).get("holderIdentity") or "")

    def leads(self, now: float) -> bool:
        """Return whether this process leads."""
        return now < self._leads_until

    def leads_until(self) -> float:
        """Return the time at which this process stops leading unless it renews the Lease."""
        return self._leads_until

    def expires_at(self) -> float:
        """Return the time before which no other process takes over the Lease of this one."""
        return self._expires_at

    def observe(self, lease: Mapping[str, Any] | None, now: float) -> None:
        """Take in the Lease as read, None if it does not exist; `now` is a time after the response."""
        if _identity_of(lease) != _identity_of(self._lease) or self._observed_at == NEVER:
            self._observed_at = now
        before, self._lease = self._lease, lease
        self._current = True
        if lease is None:
            if before is not None and _spec(before).get("holderIdentity") and now >= self._expires_at:
                # Someone removed it; its last holder, whom this process may not know, still leads for a while.
                self._others_until = now + self._duration(before)
            return
        if self.holder == self.identity:
            self._others_until = NEVER
            return
        self._leads_until = self._expires_at = NEVER
        self._others_until = self._observed_at + self._duration(lease) if self.holder else NEVER

    def plan(self, now: float, wall: datetime) -> LeaseWrite | None:
        """Return what to write to acquire or renew the Lease, or None while another process may lead."""
        if now < self._others_until:
            return None
        spec = _spec(self._lease)
        own = self.holder == self.identity
        renewed = _later(wall, spec.get("renewTime"))
        transitions = spec.get("leaseTransitions")
        transitions = transitions if isinstance(transitions, int) else 0
        wanted = {
            **spec,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": math.ceil(self._timing.duration),
            "renewTime": renewed,
            "acquireTime": (own and spec.get("acquireTime")) or renewed,
            "leaseTransitions": transitions if own or self._lease is None else transitions + 1,
        }
        return self._write(wanted)

    def wrote(self, lease: Mapping[str, Any], started: float, now: float) -> None:
        """Take in the Lease as stored by a successful write of `plan` that began at `started`: this process leads."""
        self.observe(lease, now)
        self._leads_until = started + self._timing.renew_deadline
        self._expires_at = started + self._timing.duration

    def refused(self) -> None:
        """Take in that a write did not fit the present state of the Lease: it has to be read again."""
        self._current = False

    def resign(self, wall: datetime) -> LeaseWrite | None:
        """Stop leading, and return the write that lets another process lead at once; None if there is nothing to do."""
        self._leads_until = self._expires_at = NEVER
        if self._lease is None or self.holder != self.identity:
            return None
        spec = _spec(self._lease)
        return self._write(
            {**spec, "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": _later(wall, spec.get("renewTime"))}
        )

    def _write(self, spec: dict[str, Any]) -> LeaseWrite:
        if self._lease is not None:
            return LeaseWrite({**self._lease, "spec": spec}, exists=True)
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": dict(self._place), "spec": spec}
        return LeaseWrite(body, exists=False)

    def _duration(self, lease: Mapping[str, Any]) -> float:
        """Return the duration in a Lease, which its holder chose, or the own one if there is none."""
        found = _spec(lease).get("leaseDurationSeconds")
        return float(found) if isinstance(found, int) and found > 0 else self._timing.duration


def _spec(lease: Mapping[str, Any] | None) -> dict[str, Any]:
    found = lease.get("spec") if lease else None
    return found if isinstance(found, dict) else {}


def _identity_of(lease: Mapping[str, Any] | None) -> object:
    """Return what changes with each renewal. A label that someone adds is not a renewal."""
    return None if lease is None else (lease["metadata"].get("uid"), _spec(lease))


def _later(wall: datetime, before: object) -> str:
    """Return the time as Kubernetes' MicroTime, later than `before`: a write without a change would not be stored."""
    if isinstance(before, str):
        try:
            last = datetime.fromisoformat(before)
        except ValueError:
            last = wall
        if last.tzinfo is not None and last >= wall:
            wall = last + timedelta(microseconds=1)
    return wall.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
