"""Assigns the slots of the counter page to routes. Routes without a slot are counted together in `other`.

A route gets a slot with its first response that is not a client error (4xx). Once all slots are taken, a route must
have been used more than the least used slot to replace it. The counters of that slot are then added to `other`.
Reserved routes, those of the document's model and of the user's templates, need no comparison and are never replaced.
A slot that counts an exchange in flight is never replaced, so an exchange always ends in the slot in which it began.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..channel import layout as at
from ..channel.page import CounterPage, slot_name
from ..settings.proxy import ProxySettings
from ..wire.routes import RouteTemplates
from .reactor import SECOND

HALF_LIFE = 60 * SECOND  # uses count half after this time
INTERVAL = SECOND  # between two comparisons: replacing a slot takes 0.1 ms
CANDIDATES = 1024  # routes without a slot whose uses are counted
MARGIN = 2  # a candidate must have been used this many times as often, so that equal routes do not replace each other

_RESERVED_METHODS = ("GET", "PATCH", "POST", "PUT")
_MODEL_PATHS = (
    "/v1/models/{}:classify",
    "/v1/models/{}:explain",
    "/v1/models/{}:predict",
    "/v1/models/{}:regress",
    "/v1/models/{}/versions/1:predict",
    "/v2/models/{}/generate",
    "/v2/models/{}/generate_stream",
    "/v2/models/{}/infer",
    "/v2/models/{}/versions/1/infer",
    "/predictions/{}",
)

_OTHER = at.AT_SLOTS + at.OTHER * at.SLOT_WORDS


class RouteSlots:
    """The slots of one page. Times are monotonic ns.

    bases   first word of the slot by route, for the routes that have one; read it directly, it is hot
    """

    def __init__(self, page: CounterPage) -> None:
        self._page = page
        self.bases = page.routes()
        self._free = [base for base in page.route_slots() if base not in set(self.bases.values())][::-1]
        self._reserved: frozenset[str] = frozenset()
        self._uses = dict.fromkeys(self.bases.values(), 0.0)  # by slot; decayed
        self._counted = {base: self._total(base) for base in self._uses}
        self._candidates: dict[str, float] = {}
        self._updated = self._compared = 0

    def reserve(self, routes: Iterable[str]) -> None:
        """Replace the reserved routes."""
        self._reserved = frozenset(map(slot_name, routes))

    def assign(self, route: str, now: int) -> int:
        """Return the slot of a route that has been used successfully: its own, a new one, or `other`."""
        name = slot_name(route)
        base = self.bases.get(name)
        if base is None:
            base = self._claim(name, now)
        if base != _OTHER and name != route:
            self.bases[route] = base
        return base

    def _claim(self, name: str, now: int) -> int:
        if self._free:
            base = self._free.pop()
        elif name in self._reserved:
            self._age(now)
            base = self._least_used()
        else:
            base = self._replaceable(name, now)
        if base != _OTHER:
            for old in [known for known, slot in self.bases.items() if slot == base]:
                del self.bases[old]
            self._page.replace_route(base, name)
            self.bases[name] = base
            self._uses[base] = self._candidates.pop(name, 0.0)
            self._counted[base] = 0
        return base

    def _replaceable(self, name: str, now: int) -> int:
        """Count a use of a route without a slot; return the slot that it may replace, or `other`."""
        uses = self._candidates.get(name, 0.0) + 1
        if len(self._candidates) >= CANDIDATES:
            self._candidates = {route: count for route, count in self._candidates.items() if count > 1}
            if len(self._candidates) >= CANDIDATES:
                self._candidates.clear()
        self._candidates[name] = uses
        if now < self._compared + INTERVAL:
            return _OTHER
        self._compared = now
        self._age(now)
        victim = self._least_used()
        if victim == _OTHER or self._candidates.get(name, 0.0) <= MARGIN * self._uses[victim]:
            return _OTHER
        return victim

    def _least_used(self) -> int:
        words = self._page.words
        idle = [
            base
            for name, base in self.bases.items()
            if name not in self._reserved and not words[base + at.SLOT_IN_FLIGHT]
        ]
        return min(idle, key=self._uses.__getitem__, default=_OTHER)

    def _age(self, now: int) -> None:
        """Bring the uses up to date: those before now count less, those since the last call are added."""
        factor = 0.5 ** (max(0, now - self._updated) / HALF_LIFE)
        self._updated = now
        for base in self._uses:
            total = self._total(base)
            self._uses[base] = self._uses[base] * factor + total - self._counted[base]
            self._counted[base] = total
        self._candidates = {
            route: count * factor for route, count in self._candidates.items() if count * factor > 1 / 16
        }

    def _total(self, base: int) -> int:
        return sum(self._page.words[base + at.SLOT_CODES : base + at.SLOT_GRPC])


def reserved_routes(settings: ProxySettings, templates: RouteTemplates) -> frozenset[str]:
    """Return the routes that always get a slot: those of the user's templates, and of the document's model."""
    own = {f"{method} {template}" for method in _RESERVED_METHODS for template in settings.routes}
    if not settings.model:
        return frozenset(own)
    return frozenset(own | {templates.route("POST", path.format(settings.model)) for path in _MODEL_PATHS})
