"""Removes the stored states of monitors that were deleted, after a grace period."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from ...kube.client import Kube
from ...kube.delete import delete
from ...kube.errors import KubeError, NotFoundError
from ...kube.objects import CONFIG_MAPS
from ...kube.read import list_all
from .world import Item

_LOG = logging.getLogger("pilotfish.control")
EVERY = 600.0  # seconds between two looks
GRACE = 3600.0  # seconds after which the state of a deleted monitor is removed
STATE = "pilotfish.dev/state"  # label of the ConfigMaps of states; its value is the name of the controller's Lease
_NAME = re.compile(r"pilotfish-(?P<uid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-.+")


def state_labels(lease: str) -> Mapping[str, str]:
    """Return the labels of the ConfigMaps of the controller whose Lease is `lease`."""
    return {"app.kubernetes.io/managed-by": "pilotfish", STATE: lease}


@dataclass
class StateCleaner:
    """Removes states of monitors that no longer exist.

    Without `enabled`, nothing is removed: a controller of one namespace cannot see which monitors exist elsewhere.
    """

    kube: Kube
    namespace: str
    lease: str
    enabled: bool
    _next_at: float = 0.0
    _missing: dict[str, float] = field(default_factory=dict)  # since when, by UID

    async def turn(self, monitors: Iterable[Item], now: float) -> None:
        """Look for states without a monitor at `now` (monotonic), if it is time; a failure is repeated later."""
        if not self.enabled or now < self._next_at:
            return
        self._next_at = now + EVERY
        try:
            items, _ = await list_all(self.kube, CONFIG_MAPS, self.namespace, label_selector=f"{STATE}={self.lease}")
            for name in self.removable([item["metadata"]["name"] for item in items], monitors, now):
                try:
                    await delete(self.kube, CONFIG_MAPS, name, self.namespace)
                except NotFoundError:
                    continue
        except KubeError as error:
            _LOG.warning("the states of deleted monitors were not removed: %s", error)

    def removable(self, names: Iterable[str], monitors: Iterable[Item], now: float) -> list[str]:
        """Return the ConfigMaps among `names` whose monitor has been missing for the grace period."""
        present = {item["metadata"]["uid"] for item in monitors}
        owners = {name: found["uid"] for name in names if (found := _NAME.fullmatch(name))}
        missing = set(owners.values()) - present
        self._missing = {uid: self._missing.get(uid, now) for uid in missing}
        return [name for name, uid in owners.items() if uid in missing and now - self._missing[uid] >= GRACE]
