"""The pools of CPU that the administrator gave, and which monitors share them.

A document joins a pool of its own namespace by `spec.resources.pool`. A pool that nobody gave shares nothing. The
document in force decides: a newer one that is invalid moves no pod out of its pool.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...errors import UsageError, quote_value
from ...settings.units import read_positive
from ..reasons import Reason
from ..resize.pool.book import SharedPool
from ..resize.pool.member import PoolMember, PoolShare
from .key import MonitorKey

PoolName = tuple[str, str]  # namespace, name
MOST_CORES = 100_000.0
_GIVEN = re.compile(r"([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)/([a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)=(.+)")


def parse_pools(given: Iterable[str]) -> dict[PoolName, float]:
    """Return the budgets of the values of `--pool`, in cores; raise UsageError."""
    found: dict[PoolName, float] = {}
    for text in given:
        parts = _GIVEN.fullmatch(text)
        cores = read_positive(parts[3]) if parts is not None else None
        if parts is None or cores is None or not 0.001 <= cores <= MOST_CORES:
            raise UsageError(
                f"--pool {quote_value(text)}: give NAMESPACE/NAME=CPU with 1m to {MOST_CORES:,.0f} cores, such as "
                "ml/shared=4 or ml/shared=2500m"
            )
        place = parts[1], parts[2]
        if place in found:
            raise UsageError(f"--pool {quote_value(text)}: the pool {'/'.join(place)} is given twice; remove one")
        found[place] = cores
    return found


@dataclass
class PoolBook:
    """The pools of one leadership; `budgets` are cores by namespace and name."""

    budgets: Mapping[PoolName, float] = field(default_factory=dict)
    _pools: dict[PoolName, SharedPool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pools = {place: SharedPool("/".join(place), cores) for place, cores in self.budgets.items()}

    def update(self, members: Iterable[tuple[MonitorKey, str | None]]) -> None:
        """Replace all members: each monitor with the name of its pool. One that names a pool no longer leaves it."""
        found: dict[PoolName, set[str]] = {}
        for key, name in members:
            if name is not None:
                found.setdefault((key.namespace, name), set()).add(key.name)
        for place, pool in self._pools.items():
            pool.expect(found.get(place, ()))

    def exchange(self, key: MonitorKey, name: str, member: PoolMember, now: float) -> PoolShare:
        """Publish what a monitor has and needs in the pool `name`, and return its share at `now`, in epoch seconds.

        Call it with all pods and all resizes in flight, and replace the share of before by the result at once: the
        budget is kept only if no older share is acted on afterwards.
        """
        pool = self._pools.get((key.namespace, name))
        if pool is None:
            text = f"pool {key.namespace}/{name}: {Reason.POOL_UNKNOWN.meaning}; {Reason.POOL_UNKNOWN.remedy}"
            stay = {pod.uid: pod.requested for pod in member.pods}
            return PoolShare(pods=stay, reason=Reason.POOL_UNKNOWN, text=text)
        return pool.exchange(key.name, member, now)
