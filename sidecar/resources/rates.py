"""Work per in-flight time of each route, for the rules that share use out by tokens or by rows. Pure.

Work is known only when an exchange ends, perhaps minutes after the window in which it used the server. So a window is
shared out in proportion to the in-flight time of a route times its recent work per in-flight time. Over a load that
does not change, this is the same as sharing out in proportion to work.

A group of routes is shared out by work only if it has two routes with known work, and by tokens only if it is known
what a completion token costs. What the group has together follows
from equal in-flight time. In `auto`, a group is one version of a language model: a token of a large model costs more
than one of a small model, so tokens are not compared between models.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..channel import layout
from ..settings.document import AttributionSettings
from .weights import TokenWeight
from .work import CACHED, COMPLETION, PROMPT, Work

IN_FLIGHT_RULE, TOKENS_RULE, ROWS_RULE = "inFlight", "tokens", "rows"
HALF_LIFE_NS = 300 * 10**9
_FADED_NS = 1e6  # work of less in-flight time is forgotten
_UNITS = 1000  # of a weight, for one token or row

Served = Callable[[str], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class WorkGroup:
    """Routes between which use is shared out by work: the rule, and the weight of each route in the window."""

    rule: str
    weights: Mapping[str, int]


@dataclass(slots=True)
class _Recent:
    """Decayed sums of one route."""

    prompt: float = 0.0
    completion: float = 0.0
    tokens_ns: float = 0.0
    rows: float = 0.0
    rows_ns: float = 0.0

    def fade(self, factor: float) -> None:
        self.prompt, self.completion = self.prompt * factor, self.completion * factor
        self.tokens_ns, self.rows, self.rows_ns = self.tokens_ns * factor, self.rows * factor, self.rows_ns * factor

    def add(self, work: Work) -> None:
        self.prompt += prompt_work(work.weighed)
        self.completion += work.weighed.get(COMPLETION, 0)
        self.tokens_ns += work.weighed_ns
        self.rows += work.rows
        self.rows_ns += work.rows_ns


class RouteRates:
    """Keeps the recent work of each route, and the weight of a completion token of each model version.

    The probes and the routes without a slot have no work.
    """

    def __init__(self) -> None:
        self._recent: dict[str, _Recent] = {}
        self._weights: dict[tuple[str, str], TokenWeight] = {}

    def add(self, work: Mapping[str, Work], in_flight: Mapping[str, int], elapsed_ns: int, served: Served) -> None:
        """Add a window. `served` returns model and version of a route."""
        factor = 0.5 ** (max(0, elapsed_ns) / HALF_LIFE_NS)
        for recent in self._recent.values():
            recent.fade(factor)
        for weight in self._weights.values():
            weight.fade(factor)
        for route, found in work.items():
            if route not in (layout.OTHER_ROUTE, layout.PROBES_ROUTE):
                self._recent.setdefault(route, _Recent()).add(found)
                if found.weighed_ns:
                    self._weights.setdefault(served(route), TokenWeight()).add_exchanges(found.moments)
        self._recent = {
            route: recent for route, recent in self._recent.items() if recent.tokens_ns + recent.rows_ns > _FADED_NS
        }
        versions: dict[tuple[str, str], int] = {}
        for route, recent in self._recent.items():
            if recent.tokens_ns:
                versions[served(route)] = versions.get(served(route), 0) + in_flight.get(route, 0)
        self._weights = {version: weight for version, weight in self._weights.items() if version in versions}
        for version, amount in versions.items():
            self._weights.setdefault(version, TokenWeight()).add_window(amount, elapsed_ns)

    def completion_weight(self, version: tuple[str, str], settings: AttributionSettings) -> float | None:
        """Return the cost of a completion token in prompt tokens: of the document, else estimated, else None."""
        if settings.completion_weight is not None:
            return settings.completion_weight
        found = self._weights.get(version)
        return found.completion_weight if found is not None else None

    def weights(self, settings: AttributionSettings) -> dict[tuple[str, str], float]:
        """Return the known weights by model version."""
        found = {version: self.completion_weight(version, settings) for version in self._weights}
        return {version: weight for version, weight in found.items() if weight is not None}

    def groups(self, in_flight: Mapping[str, int], settings: AttributionSettings, served: Served) -> list[WorkGroup]:
        """Return the groups of a window with these in-flight times."""
        if settings.rule == "inFlight":
            return []
        weights = self.weights(settings)
        found: dict[object, dict[str, int]] = {}
        for route, amount in in_flight.items():
            version = served(route)
            rate = self._rate(route, settings.rule, weights.get(version))
            if rate is not None and amount > 0:
                key = version if settings.rule == "auto" else None
                found.setdefault(key, {})[route] = max(1, round(amount * rate * _UNITS))
        rule = ROWS_RULE if settings.rule == "rows" else TOKENS_RULE
        return [WorkGroup(rule, group) for group in found.values() if len(group) > 1]

    def _rate(self, route: str, rule: str, weight: float | None) -> float | None:
        """Return the work per ns in flight; None if it is not known."""
        recent = self._recent.get(route)
        if recent is None:
            return None
        if rule == "rows":
            return recent.rows / recent.rows_ns if recent.rows_ns > 0 else None
        if weight is None or recent.tokens_ns <= 0:
            return None
        return (recent.prompt + recent.completion * weight) / recent.tokens_ns


def prompt_work(tokens: Mapping[str, int]) -> int:
    """Return the prompt tokens that the server computed: those that did not come from its cache."""
    return tokens.get(PROMPT, 0) - tokens.get(CACHED, 0)
