"""Finds the target's selector and the profiles of one monitor, and looks again for changes.

Profiles are immutable, so a URL is fetched again only once in a while; a ConfigMap may be replaced by `kubectl apply`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from ...settings.document import ProfileSource, TargetRef
from ..errors import StoreConflictError, StoreError
from ..reasons import Reason
from .core import MonitorCore
from .key import MonitorKey
from .profiles import parse_profile, place_of
from .selectors import Selector
from .storing import PROFILE, name_of
from .trouble import Trouble, TroubleError
from .world import World

AGAIN = 30.0  # seconds until the target and ConfigMaps are read again
URL_AGAIN = 600.0  # seconds until a profile from a URL is read again
NO_TARGET = Trouble(Reason.TARGET_NOT_FOUND, "spec.targetRef is missing; name the workload whose pods are monitored")


@dataclass
class Refresher:
    """The target's selector and number of pods, and the profiles, of the monitor `key`.

    `trouble` is why the target cannot be used, or None. `done` is whether everything was read once.
    """

    key: MonitorKey
    world: World
    selector: Selector | None = None
    replicas: int = 0
    trouble: Trouble | None = None
    done: bool = False
    _selected: TargetRef | None = None  # the target that the selector is of
    _read: dict[str, tuple[ProfileSource, str, float]] = field(default_factory=dict)  # source, digest, time
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Look again at once."""
        self._wake.set()

    def renewed(self) -> Refresher:
        """Return one that reads all profiles again, for another core; this one must not be used any more."""
        self.wake()
        return replace(self, done=False, _read={}, _wake=asyncio.Event())

    async def wait(self, stop: asyncio.Event) -> None:
        """Wait until it is time to look again, or until `stop` is set."""
        waits = [asyncio.create_task(self._wake.wait()), asyncio.create_task(stop.wait())]
        try:
            await asyncio.wait(waits, timeout=AGAIN, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waits:
                task.cancel()
        self._wake.clear()

    async def refresh(self, core: MonitorCore, observe_pods: Callable[[], None] = lambda: None) -> None:
        """Read target and profiles of the document in force, and pass new profiles to `core`.

        `observe_pods` is called once the selector is known, since the pods say which versions need a profile.
        """
        document = core.document
        if document is None:
            return
        target = document.monitor.spec.target_ref
        try:
            if target is None:
                self.selector, self.trouble = None, NO_TARGET
            else:
                found = await self.world.find_target(self.key.namespace, target)
                self.selector, self.replicas = found.selector, found.replicas
                self._selected, self.trouble = target, None
        except TroubleError as error:  # a selector that was found for this target stays
            self.trouble = error.trouble
            self.selector = self.selector if self._selected == target else None
        observe_pods()
        for version, source in core.wanted.items():
            try:
                await self._profile(core, version, source)
            except TroubleError as error:
                core.lacks_profile(version, error.trouble)
            except StoreError as error:
                core.lacks_profile(version, Trouble(Reason.PROFILE_NOT_FOUND, f"{place_of(source)}: {error}"))
        self.done = True

    async def freeze(self, core: MonitorCore, version: str, raw: bytes) -> bool:
        """Store the learned profile `raw` for `version`, unless another one is stored; return whether it was stored."""
        source = core.wanted.get(version)
        if source is None or source.learn is None:
            return False
        try:
            await self.world.store.save(self._name(version), raw, "")
            first = True
        except StoreConflictError:
            first = False
        await self._profile(core, version, source)
        return first

    async def _profile(self, core: MonitorCore, version: str, source: ProfileSource) -> None:
        known = self._read.get(version)
        if known is not None and known[0] == source and not self._again(source, known[2]):
            return
        if source.learn is not None:
            stored = await self.world.store.load(self._name(version))
            if stored is None:
                return
            raw = stored.data
        else:
            raw = await self.world.fetch_profile(self.key, source)
        digest = hashlib.sha256(raw).hexdigest()
        if known is None or known[:2] != (source, digest):
            profile, plain = await asyncio.to_thread(parse_profile, raw, place_of(source))
            core.use_profile(version, profile, plain)
        self._read[version] = (source, digest, self.world.monotonic())

    def _name(self, version: str) -> str:
        return name_of(self.key, PROFILE + hashlib.sha256(version.encode()).hexdigest()[:16])

    def _again(self, source: ProfileSource, read_at: float) -> bool:
        age = self.world.monotonic() - read_at
        return source.learn is None and age >= (URL_AGAIN if source.url is not None else AGAIN / 2)
