"""Random histories of a whole watch: a real counter page, scripted counters, restarts, gaps and steps of clocks.

Checked in whole units: shares + idle = measured = what the counters rose, for each resource and each rule.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Literal, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel import PAGE_FILE
from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel import page as pages
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.report.blocks.resources import ResourceSource
from pilotfish.sidecar.resources import watch as watches
from pilotfish.sidecar.resources.accounts import (
    COST,
    CPU,
    ENERGY,
    EXCHANGES,
    GPU,
    IDLE,
    IDLE_COST,
    IN_FLIGHT,
    MEASURED,
    RULE,
    SHARED,
    CostRules,
)
from pilotfish.sidecar.resources.cgroups import Cgroup
from pilotfish.sidecar.resources.gpu.meter import GpuMeter, GpuUse
from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sampler import GpuSampler
from pilotfish.sidecar.resources.groups import Group
from pilotfish.sidecar.resources.source import Found, SourceOptions
from pilotfish.sidecar.resources.totals import ResourceTotals
from pilotfish.sidecar.resources.usage import UsageSample
from pilotfish.sidecar.resources.watch import ResourceWatch
from pilotfish.sidecar.resources.work import COUNTED, WorkMeter
from pilotfish.sidecar.settings.document import AttributionSettings, Model, Prices
from tests.resources.gpu.made import device, process
from tests.resources.gpu.made import sample as gpu_sample

SECOND, PID = 10**9, 4242
SLOTS = 4  # routes that have a slot at a time
PRICES = Prices(cpu_hour=0.04, gpu_hour=2.5, kwh=0.3, currency="EUR")
RULES: tuple[Literal["auto", "inFlight", "rows", "tokens"], ...] = ("auto", "inFlight", "rows", "tokens")
STEPS = (
    "begin", "begin", "end", "end", "tick", "tick", "tick", "gap", "restart", "replace", "version", "rule", "prices",
    "counter reset", "server restart", "no gpu", "late records", "hours",
)  # fmt: skip


@dataclass
class Truth:
    """What the server did."""

    in_flight_ns: int = 0
    exchanges: int = 0


@dataclass(repr=False)
class World:
    """The proxy's page, the kernel's counters, the GPU and the analyzer; `now` is the only clock."""

    folder: Path
    random: Random
    worlds: list[World]
    now: int = 10**12
    cpu: int = 0
    roots: int = 1
    joules: float = 1e5
    gpu: bool = True
    in_flight: dict[int, int] = field(default_factory=dict)  # by slot
    names: dict[int, str] = field(default_factory=dict)
    truth: Truth = field(default_factory=Truth)
    model: Model = field(default_factory=lambda: Model(name="m", version="1"))
    rules: CostRules = field(default_factory=CostRules)
    made: int = 0

    def __post_init__(self) -> None:
        self.worlds[:] = [self]
        self.page = CounterPage.open(self.folder / PAGE_FILE, now_ns=self.now)
        self.meter, self.latest = GpuMeter(), gpu_sample()
        self.restarts: dict[GpuReason, int] = {}
        self.work = WorkMeter()
        for slot in range(SLOTS):
            self.replace(slot)
        self.watch = self.new_watch()

    @property
    def use(self) -> GpuUse:
        """What the watch asks of the sampling process of the GPUs."""
        return self.meter.use

    def new_watch(self) -> ResourceWatch:
        options = SourceOptions(pid=PID, root=os.getpid())
        watch = ResourceWatch(
            options, self.folder, self.folder, lambda: self.rules, cast("GpuSampler", self), work=self.work,
            clock=lambda: self.now,
        )  # fmt: skip
        watch.begin()
        return watch

    def slot(self, number: int) -> int:
        return at.AT_SLOTS + (at.FIRST_ROUTE + number) * at.SLOT_WORDS

    def replace(self, number: int) -> None:
        """Give a slot to a new route; the old one counts as `other` from now on."""
        self.made += 1
        name = f"POST /v2/models/{self.random.choice('mx')}/versions/{self.made}/infer"
        if self.in_flight.get(number, 0) == 0:
            self.page.replace_route(self.slot(number), name)
            self.names[number] = name

    def locked(self, change: object) -> None:
        self.page.words[at.AT_LOCK] += 1
        change()  # type: ignore[operator]
        self.page.words[at.AT_LOCK] += 1

    def pass_time(self, ns: int) -> None:
        self.truth.in_flight_ns += ns * sum(self.in_flight.values())
        self.now += ns
        self.page.beat(self.now, self.now)  # a page without a heartbeat stops its in-flight time

    def change(self, step: int) -> None:
        slot = self.random.randrange(SLOTS)
        if step < 0 and self.in_flight.get(slot, 0) == 0:
            return
        self.in_flight[slot] = self.in_flight.get(slot, 0) + step
        self.locked(lambda: self.page.change_in_flight(self.slot(slot), step, self.now))
        if step < 0:
            self.truth.exchanges += 1
            self.locked(lambda: self.page.add(self.slot(slot) + at.SLOT_CODES + at.CODES.index("2xx")))
            if self.random.random() < 0.7:
                self.work.add_tokens(self.names[slot], COUNTED, {"prompt": 30, "completion": 9}, SECOND)
                self.work.add_rows(self.names[slot], self.random.randrange(50), SECOND)

    def tick(self, ns: int) -> None:
        """Let the server work for a while, then take a sample of everything."""
        self.pass_time(ns)
        self.cpu += self.random.randrange(ns + 1)
        busy = self.random.choice([0.0, 0.25, 1.0])
        self.joules += self.random.randrange(900)
        if self.gpu:
            card = device(utilization=busy, energy=self.joules, power=100.0)
            self.latest = gpu_sample(card, at=self.now / SECOND, processes=(process(PID, busy),))
            self.meter.add(self.latest)
        else:
            self.latest = gpu_sample()
            self.meter.add(self.latest)
        self.watch.sample()

    def sample(self, at_ns: int) -> UsageSample:
        """Return what the kernel counts."""
        return UsageSample(
            at_ns=at_ns, source=f"root {self.roots}", method="processes", processes=1, threads=1, cpu_ns=self.cpu
        )

    def do(self, step: str) -> None:
        random = self.random
        match step:
            case "begin" | "end":
                self.pass_time(random.randrange(SECOND))
                self.change(1 if step == "begin" else -1)
            case "tick" | "gap" | "hours":
                self.tick({"tick": SECOND, "gap": 9 * SECOND, "hours": 7200 * SECOND}[step] + random.randrange(1000))
            case "restart":
                self.watch = self.new_watch()
            case "replace":
                self.replace(random.randrange(SLOTS))
            case "version":
                self.model = Model(name="m", version=str(random.randrange(5)))
                self.rules = CostRules(model=self.model, prices=self.rules.prices, attribution=self.rules.attribution)
            case "rule":
                weight = random.choice([None, 5])
                found = random.choice([AttributionSettings(rule=rule, completion_weight=weight) for rule in RULES])
                self.rules = CostRules(model=self.model, prices=self.rules.prices, attribution=found)
            case "prices":
                self.rules = CostRules(model=self.model, prices=random.choice([None, PRICES]))
            case "counter reset":
                self.cpu, self.joules = random.randrange(SECOND), 0.0
            case "server restart":
                self.roots, self.cpu = self.roots + 1, 0
            case "no gpu":
                self.gpu = not self.gpu
            case "late records":
                self.work.add_tokens(self.names[0], COUNTED, {"prompt": 10**6, "completion": 1}, SECOND)

    def close(self) -> None:
        self.page.close()


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[World]]:
    """Replace the search for processes and the kernel's counters by those of the newest world."""
    worlds: list[World] = []
    found = Found(ResourceSource(kind="local", reason="pid", text="scripted", pid=PID), frozenset((PID,)))
    group = Group({PID: 1}, frozenset((PID,)), 1, Cgroup(None, {}, {}))
    monkeypatch.setattr(watches, "choose", lambda *_: found)
    monkeypatch.setattr(watches, "find_group", lambda roots, *_: group if PID in roots else None)
    monkeypatch.setattr(watches, "sample_group", lambda _, at_ns: worlds[-1].sample(at_ns))
    monkeypatch.setattr(watches, "list_processes", dict)
    monkeypatch.setattr(watches, "read_mounts", list)
    monkeypatch.setattr(pages, "time", SimpleNamespace(monotonic_ns=lambda: worlds[-1].now, sleep=lambda _: None))
    yield worlds
    worlds.clear()


def assert_conserved(totals: ResourceTotals) -> None:
    for resource in (CPU, ENERGY, GPU):
        shared = sum(amount for (name, *_), amount in totals.of(SHARED) if name == resource)
        assert shared + totals.get(IDLE, resource) == totals.get(MEASURED, resource)
        assert shared == sum(amount for (name, _), amount in totals.of(RULE) if name == resource)
    assert all(amount >= 0 for _, amount in totals.items())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=5, max_size=60), st.integers(0, 2**32))
def test_nothing_is_lost_or_invented_in_any_history(scripted: list[World], steps: list[str], seed: int) -> None:
    with TemporaryDirectory() as folder:
        world = World(Path(folder), Random(seed), scripted)
        world.tick(SECOND)  # the first sample, from which the counters begin
        begun = world.truth.in_flight_ns
        cpu, lost, before = world.cpu, 0, dict[tuple[str, ...], int]()
        for step in steps:
            was, measured = world.cpu, world.watch.view.totals.get(MEASURED, CPU)
            world.do(step)
            totals = world.watch.view.totals
            assert_conserved(totals)
            kinds = (COST, EXCHANGES, IDLE, IDLE_COST, IN_FLIGHT, MEASURED, RULE, SHARED)
            after = {key: amount for key, amount in totals.items() if key[0] in kinds}
            assert all(after.get(key, 0) >= amount for key, amount in before.items()), step
            before = after
            grown = totals.get(MEASURED, CPU) - measured
            assert grown <= max(0, world.cpu - was) + max(0, was - cpu), step
            if step in ("tick", "gap", "hours"):
                lost += max(0, world.cpu - was) - grown
                cpu = world.cpu
        world.tick(SECOND)
        totals = world.watch.view.totals
        if not {"restart", "counter reset", "server restart"} & set(steps):
            assert lost == 0
        in_flight = sum(amount for _, amount in totals.of(IN_FLIGHT))
        assert in_flight <= world.truth.in_flight_ns - begun
        if "restart" not in steps:
            assert in_flight == world.truth.in_flight_ns - begun
            assert sum(amount for _, amount in totals.of(EXCHANGES)) == world.truth.exchanges
        world.close()
