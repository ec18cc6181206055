"""A simulated server with continuous batching, of a language model or of rows, where the cost of a request is known.

The server works in steps. A step reads the prompts of new requests, in chunks, and writes one token for each running
request. A step takes a fixed time, which its requests share equally, and time for each token that it reads or writes.
The server is busy as long as it has requests. The truth of a route is what its requests used.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from pilotfish.sidecar.resources.accounts import CPU, IDLE, MEASURED, SHARED, Accounts, CostRules, UsageWindow
from pilotfish.sidecar.resources.totals import ResourceTotals
from pilotfish.sidecar.resources.work import COUNTED, Work
from pilotfish.sidecar.settings.document import AttributionSettings, Model

SECOND = 10**9


@dataclass(frozen=True)
class TokenLoad:
    """Requests of one route: rate per second, mean tokens of prompt and completion, share of them with counts."""

    route: str
    rate: float
    prompt: int
    completion: int
    told: float = 1.0


@dataclass(frozen=True)
class Engine:
    """Times in ms: of a step, of a token that is read, of one that is written; and the limits of a step."""

    step: float = 6.0
    read: float = 0.03
    write: float = 0.05
    running: int = 64
    chunk: int = 512


@dataclass
class _Request:
    load: TokenLoad
    prompt: int
    completion: int
    arrived: int
    unread: int
    unwritten: int


@dataclass
class Outcome:
    """Busy ns: the truth by route, what was attributed, and all that was measured; and the true tokens by route."""

    true: dict[str, int]
    attributed: dict[str, int]
    measured: int
    idle: int
    tokens: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def errors(self) -> dict[str, float]:
        """The relative error of each route."""
        return {route: self.attributed[route] / amount - 1 for route, amount in self.true.items()}


def simulate_tokens(
    loads: Sequence[TokenLoad],
    settings: AttributionSettings,
    *,
    seconds: int,
    source: random.Random,
    engine: Engine = Engine(),
) -> Outcome:
    """Serve Poisson arrivals for `seconds`, and attribute windows of one second."""
    accounts, rules = Accounts(ResourceTotals()), CostRules(model=Model(name="m"), attribution=settings)
    now, window_end = 0, SECOND
    true, tokens = {load.route: 0 for load in loads}, {load.route: [0, 0] for load in loads}
    in_flight, work, busy = dict.fromkeys(true, 0), dict[str, Work](), 0
    arrivals = sorted(_arrivals(loads, seconds, source), key=lambda request: request.arrived)
    waiting, running = list[_Request](), list[_Request]()
    while now < seconds * SECOND:
        while arrivals and arrivals[0].arrived <= now:
            waiting.append(arrivals.pop(0))
        while waiting and len(running) < engine.running:
            running.append(waiting.pop(0))
        took, costs = _step(running, engine) if running else (SECOND // 1000, [])
        for request, cost in zip(running, costs, strict=False):
            true[request.load.route] += cost
        for request in (*running, *waiting):
            in_flight[request.load.route] += took
        busy += took if running else 0
        now += took
        for request in [each for each in running if each.unread <= 0 and each.unwritten <= 0]:
            running.remove(request)
            route = request.load.route
            tokens[route][0] += request.prompt
            tokens[route][1] += request.completion
            found = work.setdefault(route, Work())
            if source.random() < request.load.told:
                counted = {"prompt": request.prompt, "completion": request.completion}
                found.add_tokens(COUNTED, counted, now - request.arrived)
            found.add_rows(request.completion, now - request.arrived)
        if now >= window_end:
            window = UsageWindow(elapsed_ns=SECOND, in_flight=in_flight, measured={CPU: busy}, work=work)
            accounts.add(window, rules)
            in_flight, work, busy = dict.fromkeys(true, 0), {}, 0
            window_end += SECOND
    totals = accounts.totals
    attributed = {route: totals.get(SHARED, CPU, "m", "", route) for route in true}
    pairs = {route: (prompt, completion) for route, (prompt, completion) in tokens.items()}
    return Outcome(true, attributed, totals.get(MEASURED, CPU), totals.get(IDLE, CPU), pairs)


def _arrivals(loads: Sequence[TokenLoad], seconds: int, source: random.Random) -> list[_Request]:
    found = []
    for load in loads:
        at = source.expovariate(load.rate)
        while at < seconds:
            prompt = 1 + round(source.expovariate(1 / load.prompt)) if load.prompt else 0
            completion = 1 + round(source.expovariate(1 / load.completion))
            found.append(_Request(load, prompt, completion, round(at * SECOND), prompt, completion))
            at += source.expovariate(load.rate)
    return found


def _step(running: list[_Request], engine: Engine) -> tuple[int, list[int]]:
    """Advance all requests by one step; return its ns, and what each request used of them."""
    room, used = engine.chunk, []
    for request in running:
        read = min(room, request.unread)
        room -= read
        written = 1 if request.unread <= 0 and request.unwritten > 0 else 0
        request.unread -= read
        request.unwritten -= written
        used.append((read * engine.read + written * engine.write, bool(read or written)))
    parts = sum(active for _, active in used)
    costs = [round((own + (engine.step / parts if active else 0)) * 1e6) for own, active in used]
    return sum(costs), costs
