"""The sampler with a real process, a real counter page, and a clock of the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pilotfish.sidecar.channel import PAGE_FILE
from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.report.schema import Report, TickStatus
from pilotfish.sidecar.resources import watch as watches
from pilotfish.sidecar.resources.accounts import (
    CPU,
    ENERGY,
    EXCHANGES,
    GPU,
    IDLE,
    IN_FLIGHT,
    MEASURED,
    SHARED,
    USAGE,
    CostRules,
)
from pilotfish.sidecar.resources.collector import collect
from pilotfish.sidecar.resources.gpu.meter import GpuMeter, GpuUse
from pilotfish.sidecar.resources.gpu.problems import GpuReason
from pilotfish.sidecar.resources.gpu.sample import GpuSample
from pilotfish.sidecar.resources.gpu.sampler import GpuSampler
from pilotfish.sidecar.resources.processes import list_processes
from pilotfish.sidecar.resources.reporting import resource_report
from pilotfish.sidecar.resources.source import SourceOptions, choose
from pilotfish.sidecar.resources.totals import TOTALS_FILE
from pilotfish.sidecar.resources.watch import ResourceWatch
from pilotfish.sidecar.settings.document import Model, Prices
from pilotfish.sidecar.system.addresses import Address
from tests.resources.gpu.made import device, process
from tests.resources.gpu.made import sample as gpu_sample
from tests.support.ports import accepts, free_port
from tests.support.waiting import wait_until

SECOND = 10**9
ROUTE = at.AT_SLOTS + at.FIRST_ROUTE * at.SLOT_WORDS
INFER = "POST /v2/models/m/infer"
BURN = """
import sys, time
for line in sys.stdin:
    end = time.process_time() + float(line)
    while time.process_time() < end:
        pass
    print("done", flush=True)
"""
PRICES = Prices(cpu_hour=3600.0, currency="EUR")
RULES = CostRules(model=Model(name="m", version="1"), prices=PRICES)


class Plant:
    """A page, a process that uses CPU time on demand, and a watch that reads both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.page = CounterPage.open(folder / PAGE_FILE, now_ns=1)
        self.page.replace_route(ROUTE, INFER)
        self.model = subprocess.Popen([sys.executable, "-c", BURN], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.burn(0)  # its start is over
        self.watch = self.new_watch()

    def new_watch(self, **options: object) -> ResourceWatch:
        found = SourceOptions(**{"pid": self.model.pid, "root": os.getpid(), **options})  # type: ignore[arg-type]
        return ResourceWatch(found, self.folder, self.folder, lambda: RULES)

    def burn(self, seconds: float) -> None:
        assert self.model.stdin is not None
        assert self.model.stdout is not None
        self.model.stdin.write(f"{seconds}\n".encode())
        self.model.stdin.flush()
        assert self.model.stdout.readline() == b"done\n"

    def request(self, seconds: float) -> None:
        """Serve one request that costs so much CPU time."""
        self._change(1)
        self.burn(seconds)
        self._change(-1)
        self.page.add(ROUTE + at.SLOT_CODES + at.CODES.index("2xx"))

    def _change(self, step: int) -> None:
        self.page.words[at.AT_LOCK] += 1
        self.page.change_in_flight(ROUTE, step, time.monotonic_ns())
        self.page.words[at.AT_LOCK] += 1

    def close(self) -> None:
        self.page.close()
        self.model.kill()
        self.model.communicate()


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    plant = Plant(tmp_path)
    yield plant
    plant.close()


def test_the_cpu_time_of_a_request_goes_to_its_route_and_the_rest_is_idle(plant: Plant) -> None:
    plant.watch.sample()
    plant.request(0.2)
    plant.watch.sample()
    plant.burn(0.1)
    plant.watch.sample()
    totals = plant.watch.view.totals
    shared = totals.get(SHARED, CPU, "m", "1", INFER)
    assert shared == pytest.approx(0.2 * SECOND, abs=0.03 * SECOND)
    assert totals.get(IDLE, CPU) == pytest.approx(0.1 * SECOND, abs=0.03 * SECOND)
    assert shared + totals.get(IDLE, CPU) == totals.get(MEASURED, CPU) == totals.get(USAGE, "model", "cpu")
    assert totals.get(EXCHANGES, "m", "1", INFER) == 1
    assert totals.get(IN_FLIGHT, INFER) >= 0.2 * SECOND


def test_report_and_metrics_show_the_cost_of_a_prediction(plant: Plant) -> None:
    plant.watch.sample()
    plant.request(0.1)
    plant.request(0.1)
    plant.watch.sample()
    made = Report(made_at=1.0, started_at=1.0, state="unprofiled", ticks=TickStatus(tick_seconds=60.0))
    report = resource_report(plant.watch.view, made, PRICES)
    assert (report.source.kind, report.source.reason, report.currency) == ("local", "pid", "EUR")
    (cost,) = report.predictions
    assert (cost.model, cost.version, cost.per, cost.predictions) == ("m", "1", "exchange", 2)
    assert cost.cost_per_1000 == pytest.approx(100.0, abs=25)  # 0.1 s of a core that costs 1 per second
    assert {use.of for use in report.use} == {"model", "pilotfish"}
    families = {family.name: family for family in collect(plant.watch.view, PRICES)}
    (sample,) = families["pilotfish_cpu_seconds"].samples
    assert sample.labels == {"model": "m", "version": "1", "route": INFER}
    assert sample.value == pytest.approx(0.2, abs=0.03)
    assert families["pilotfish_usage_memory_bytes"].samples[0].value > 2**20


def test_no_total_falls_when_the_analyzer_starts_again_at_any_moment(plant: Plant) -> None:
    before: dict[str, float] = {}
    for _ in range(4):
        plant.request(0.03)
        plant.watch.sample()
        plant.watch.sample()
        shown = {
            f"{one.name}{one.labels}": one.value
            for family in collect(plant.watch.view, PRICES)
            if family.type == "counter"
            for one in family.samples
        }
        assert all(shown[name] >= value for name, value in before.items())
        before = shown
        plant.watch = plant.new_watch()
    assert before


def test_totals_that_cannot_be_stored_are_not_shown(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    plant.watch.sample()
    shown = plant.watch.view.totals
    (plant.folder / TOTALS_FILE).unlink()
    (plant.folder / TOTALS_FILE).mkdir()
    (plant.folder / TOTALS_FILE / "in the way").touch()
    plant.request(0.02)
    plant.watch.sample()
    assert plant.watch.view.totals is shown
    assert "cannot be stored" in plant.watch.view.notes[0]


def test_a_model_server_that_ends_has_no_values_and_a_reason(plant: Plant) -> None:
    now = [0]
    options = SourceOptions(pid=plant.model.pid, root=os.getpid())
    watch = ResourceWatch(options, plant.folder, plant.folder, CostRules, clock=lambda: now[0])
    watch.sample()
    found = [watch.view.model is not None]
    plant.model.kill()
    plant.model.wait()
    for _ in range(2):
        now[0] += SECOND
        watch.sample()
    assert [*found, watch.view.model is not None] == [True, False]
    assert (watch.view.source.kind, watch.view.source.reason) == ("none", "pid_gone")
    assert watch.view.own is not None


@pytest.mark.parametrize(
    ("options", "kind", "reason"),
    [
        ({"pid": None}, "none", "unknown_upstream"),
        ({"pid": None, "cluster": True}, "rules", "cluster"),
        ({"choice": "none"}, "none", "turned_off"),
        ({"choice": "rules"}, "rules", "chosen"),
    ],
)
def test_without_a_visible_process_the_reason_is_shown_and_no_zeros(
    plant: Plant, options: dict[str, object], kind: str, reason: str
) -> None:
    watch = plant.new_watch(**options)
    watch.sample()
    plant.request(0.02)
    watch.sample()
    assert (watch.view.source.kind, watch.view.source.reason) == (kind, reason)
    assert watch.view.totals.get(IN_FLIGHT, INFER) > 0
    names = {family.name for family in collect(watch.view, None) if family.samples}
    assert "pilotfish_in_flight_seconds" in names
    assert not names & {"pilotfish_cpu_seconds", "pilotfish_idle_cpu_seconds", "pilotfish_price"}


def test_the_process_at_the_address_of_the_upstream_is_found(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_until(lambda: accepts(port), timeout=20, what="the server to listen")
            root = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
            options = SourceOptions(addresses=(Address("localhost", port),), root=root.pid)
            watch = ResourceWatch(options, tmp_path, tmp_path, CostRules)
            watch.sample()
            root.communicate(b"\n")
            assert (watch.view.source.reason, watch.view.source.pid) == ("listener", server.pid)
        finally:
            server.kill()


def test_a_program_that_forwards_the_port_is_not_taken_for_the_model_server(tmp_path: Path) -> None:
    program = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    )
    rename = "open('/proc/self/comm', 'w').write('docker-proxy');"
    command = [sys.executable, "-c", rename + program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        address = Address("127.0.0.1", int(server.stdout.readline()))
        found = choose(SourceOptions(addresses=(address,)), list_processes(), ())
        server.communicate(b"\n")
    assert (found.source.kind, found.source.reason, found.pids) == ("none", "forwarder", frozenset())


class ScriptedGpus:
    """Samples that a test adds, in place of the sampling process."""

    def __init__(self) -> None:
        self.meter = GpuMeter()
        self.latest = gpu_sample()
        self.restarts: dict[GpuReason, int] = {}

    @property
    def use(self) -> GpuUse:
        return self.meter.use

    def add(self, sample: GpuSample) -> None:
        self.latest = sample
        self.meter.add(sample)


def test_the_time_of_a_gpu_and_its_energy_go_to_the_route_in_flight(plant: Plant) -> None:
    gpus = ScriptedGpus()
    options = SourceOptions(pid=plant.model.pid, root=os.getpid())
    rules = CostRules(model=Model(name="m", version="1"), prices=Prices(gpu_hour=3600.0))
    watch = ResourceWatch(options, plant.folder, plant.folder, lambda: rules, cast("GpuSampler", gpus))

    def second(utilization: float, energy: float, at: float) -> None:
        card = device(utilization=utilization, energy=energy)
        gpus.add(gpu_sample(card, at=at, processes=(process(plant.model.pid, utilization),)))
        watch.sample()

    second(0.0, 100.0, 1.0)
    plant.request(0.01)
    second(0.8, 400.0, 2.0)
    second(0.1, 450.0, 3.0)
    assert watch.view.gpu_time == (round(0.9 * SECOND), 3 * SECOND)
    totals = watch.view.totals
    shared = {name: totals.get(SHARED, name, "m", "1", INFER) for name in (GPU, ENERGY)}
    assert shared == {GPU: round(0.8 * SECOND), ENERGY: 300_000_000}
    assert totals.get(MEASURED, GPU) == 2 * SECOND
    assert shared[GPU] + totals.get(IDLE, GPU) == totals.get(MEASURED, GPU)
    assert shared[ENERGY] + totals.get(IDLE, ENERGY) == totals.get(MEASURED, ENERGY) == 350_000_000
    families = {family.name: family for family in collect(watch.view, rules.prices)}
    assert families["pilotfish_gpu_seconds"].samples[0].value == pytest.approx(0.8)
    assert sum(sample.value for sample in families["pilotfish_cost"].samples) == pytest.approx(0.8)


def test_a_later_process_with_the_id_of_the_option_is_not_the_model_server(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0]
    options = SourceOptions(pid=plant.model.pid, root=os.getpid())
    watch = ResourceWatch(options, plant.folder, plant.folder, CostRules, clock=lambda: now[0])
    watch.sample()
    assert watch.view.source.reason == "pid"
    found = list_processes()
    named = found[plant.model.pid]
    successor = replace(named, started=named.started + 100)
    monkeypatch.setattr(watches, "list_processes", lambda: {**found, named.pid: successor})
    now[0] += 60 * SECOND
    watch.sample()
    assert (watch.view.source.kind, watch.view.source.reason) == ("none", "pid_gone")
    assert watch.view.model is None
