"""One pool: its members publish what they have and need, and get their shares back.

An exchange is one synchronous call. It replaces what is known about one member, and only its own grants. The sum of all
commitments therefore stays within the budget in any order of exchanges, resizes, failures, and pods that come and go.
Nothing of it is stored: a new leader starts from what the pods have, once all members have published it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from statistics import median

from ....errors import number
from ...reasons import Reason
from .allocation import MOST_REQUESTS, Allocation, PoolClaim, allocate, differs
from .demand import Demand
from .grants import Grants, committed, granted, kept, millis
from .member import PoolMember, PoolShare

MILLI = 1000.0  # millicores of a core
MOST_NAMES = 3  # in a text


@dataclass(slots=True)
class PoolSeat:
    """A member with its demand, and what was granted to it last."""

    member: PoolMember
    demand: Demand = field(default_factory=Demand)
    grants: Grants = field(default_factory=Grants)

    @property
    def committed(self) -> int:
        """What the member may hold at most, in millicores."""
        return committed(self.member, self.grants)

    @property
    def minima(self) -> int:
        """What the member holds at least, in millicores, with the pods that may still come."""
        return millis(self.member.minimum) * (len(self.member.pods) + self.member.may_come)


@dataclass(slots=True)
class SharedPool:
    """The pool `name` with a budget in cores. `expected` are the members without which nothing is shared."""

    name: str
    budget: float
    expected: frozenset[str] = frozenset()
    _seats: dict[str, PoolSeat] = field(default_factory=dict)
    _shares: dict[str, int] = field(default_factory=dict)  # in force, in millicores

    @property
    def committed(self) -> float:
        """The sum of all commitments, in cores."""
        return sum(seat.committed for seat in self._seats.values()) / MILLI

    def expect(self, names: Iterable[str]) -> None:
        """Replace the members that are expected, and forget all others."""
        self.expected = frozenset(names)
        for name in self._seats.keys() - self.expected:
            del self._seats[name]
            self._shares.pop(name, None)

    def exchange(self, name: str, member: PoolMember, now: float) -> PoolShare:
        """Publish `member`, and return its share at `now`, in epoch seconds. It replaces the share before."""
        seat = self._seats.get(name)
        if seat is None:
            seat = self._seats[name] = PoolSeat(member)
        seat.member = member
        seat.demand = seat.demand.observed(member.load, _capacity(member))
        room = int(self.budget * MILLI) - sum(one.committed for key, one in self._seats.items() if key != name)
        hold = self._hold(seat, now)
        if hold is not None:
            seat.grants = kept(member, None if hold[0] is Reason.POOL_WAITING else room)
            stay = {pod.uid: pod.requested for pod in member.pods}
            return PoolShare(entry=seat.grants.entry / MILLI, pods=stay, reason=hold[0], text=hold[1])
        best = self._decide(now)
        share = self._shares[name]
        extra = self._extra()
        seat.grants = granted(member, share, room, extra) if name in self._free(now) else kept(member, room, extra)
        return PoolShare(
            cores=share / MILLI,
            entry=seat.grants.entry / MILLI,
            pods={uid: amount / MILLI for uid, amount in seat.grants.pods.items()},
            reason=Reason.POOL_EXHAUSTED if best.covered < 1.0 or best.short else None,
            text=self._exhausted(best),
        )

    def _hold(self, seat: PoolSeat, now: float) -> tuple[Reason, str] | None:
        """Return why the CPU of a member stays as it is, with words; None if it has a share."""
        missing = sorted(self.expected - self._seats.keys())
        if missing:
            names = ", ".join([*missing[:MOST_NAMES], *(["..."] if len(missing) > MOST_NAMES else [])])
            return Reason.POOL_WAITING, f"pool {self.name}: nothing is known yet about {names}"
        minima = sum(one.minima for one in self._seats.values()) / MILLI
        if minima > self.budget:
            needed = f"{minima:g} cores{self._of_them}"
            what = f"pool {self.name}: the minima need {needed}, and the pool has {self.budget:g}"
            return Reason.POOL_TOO_SMALL, f"{what}; {Reason.POOL_TOO_SMALL.remedy}"
        if not seat.demand.known(now):
            return Reason.USAGE_MISSING, f"pool {self.name}: the load of this monitor is not known"
        return None

    def _decide(self, now: float) -> Allocation:
        """Bring the shares up to date, and return the best ones now."""
        free = self._free(now)
        fixed = sum(
            millis(seat.member.minimum) * seat.member.may_come if name in free else seat.committed
            for name, seat in self._seats.items()
        )
        budget = self.budget - fixed / MILLI
        claims = _claims(free)
        best = allocate(budget, claims)
        for name, seat in self._seats.items():
            if name not in free or name not in self._shares:
                self._shares[name] = _present(seat.member)
        if self._outdated(best, budget, claims):
            self._shares.update({name: _whole(share) for name, share in best.shares.items()})
        return best

    def _free(self, now: float) -> dict[str, PoolSeat]:
        """Return the members whose shares may change. If none acts, they are recommended to all."""
        acting = any(seat.member.acts for seat in self._seats.values())
        return {
            name: seat
            for name, seat in self._seats.items()
            if seat.demand.known(now) and (seat.member.acts or not acting)
        }

    def _extra(self) -> int:
        """Return what each pod that may still come can have beyond its minimum, in millicores, out of no share."""
        coming = sum(seat.member.may_come for seat in self._seats.values())
        used = sum(
            millis(seat.member.minimum) * seat.member.may_come + self._shares[name] * len(seat.member.pods)
            for name, seat in self._seats.items()
        )
        return max(0, int(self.budget * MILLI) - used) // max(1, coming)

    def _outdated(self, best: Allocation, budget: float, claims: Mapping[str, PoolClaim]) -> bool:
        """Return whether the shares in force break a bound or the budget, or are worth a change."""
        shares = {name: self._shares[name] / MILLI for name in claims}
        if sum(claim.pods * shares[name] for name, claim in claims.items()) > budget:
            return True
        return any(
            not claim.minimum <= shares[name] <= claim.maximum
            or (best.shares[name] != shares[name] and differs(shares[name], best.shares[name], claim.load))
            for name, claim in claims.items()
        )

    @property
    def _of_them(self) -> str:
        kept = sum(millis(seat.member.minimum) * seat.member.may_come for seat in self._seats.values()) / MILLI
        return f" ({kept:g} of them for pods that may come)" if kept else ""

    def _exhausted(self, best: Allocation) -> str:
        cores = f"{self.budget:g} cores{self._of_them}"
        if best.covered < 1.0:
            needing = number(len(self._seats), "monitor")
            what = f"pool {self.name}: {cores} cover {best.covered:.0%} of what {needing} need"
        elif best.short:
            first, *more = sorted(best.short)
            who = f"{first} and {number(len(more), 'other monitor')}" if more else first
            what = f"pool {self.name}: {who} could use more than is left of {cores}"
        else:
            return ""
        return f"{what}; {Reason.POOL_EXHAUSTED.remedy}"


def _claims(seats: Mapping[str, PoolSeat]) -> dict[str, PoolClaim]:
    targets = [seat.member.latency_target for seat in seats.values() if seat.member.latency_target]
    usual = median(targets) if targets else 1.0
    wants = {name: seat.demand.want / max(1, len(seat.member.pods)) for name, seat in seats.items()}
    hidden = any(wants.values())  # a need of now comes before one of some minutes ago
    known = [want for want in wants.values() if 0.0 < want < inf]
    usual_want = median(known) if known else inf  # of a member whose requests in flight are not known
    return {
        name: PoolClaim(
            pods=len(seat.member.pods),
            minimum=millis(seat.member.minimum) / MILLI,
            maximum=_whole(seat.member.maximum) / MILLI,
            load=(seat.demand.now if hidden else seat.demand.cores) / max(1, len(seat.member.pods)),
            soon=seat.demand.soon / max(1, len(seat.member.pods)),
            want=wants[name],
            weighed=usual_want if wants[name] == inf else MOST_REQUESTS,
            parallelism=seat.demand.parallelism,
            weight=usual / seat.member.latency_target if seat.member.latency_target else 1.0,
        )
        for name, seat in seats.items()
    }


def _capacity(member: PoolMember) -> float:
    """Return the cores that the pods have."""
    return sum(pod.requested if pod.allocated is None else pod.allocated for pod in member.pods)


def _present(member: PoolMember) -> int:
    return max((millis(pod.requested) for pod in member.pods), default=millis(member.minimum))


def _whole(cores: float) -> int:
    """Return whole millicores that are at most `cores`, without the error of binary fractions."""
    return int(cores * MILLI + 1e-6)
