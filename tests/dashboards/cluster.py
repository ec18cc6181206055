"""The metrics of a controller and an injector: their own collectors, with made readings that change with time."""

from __future__ import annotations

from pilotfish.sidecar.report import schema as report
from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.telemetry.exposition import Exposition
from pilotfish.sidecar.telemetry.fleet import (
    ControllerReading,
    FleetCollector,
    MonitorReading,
    ReplicasReading,
    ServerReading,
)
from pilotfish.sidecar.telemetry.injector import InjectorCollector, InjectorReading
from pilotfish.sidecar.telemetry.node import NodeCollector, NodeScrape
from pilotfish.sidecar.telemetry.resizing import ResourcesReading

FLEET_MODEL = "prices"  # the model that the controller watches
REQUESTS = {"/v1/signals": 2.4, "/v1/sync": 0.4}  # per second
DAY = 86_400.0
DESIRED, SIGNAL = 14, 1.2
REQUESTED, RECOMMENDED = 2.0, 1.25  # cores
GIB = 2**30


def certificates(began: float) -> dict[str, float]:
    """Return when the certificates expire."""
    return {"authority": began + 300 * DAY, "serving": began + 6 * DAY}


def controller(namespace: str, seconds: float, now: float) -> tuple[bytes, str]:
    """Return the metrics of a controller that watches the model `prices` of 12 pods, one of which is silent."""
    effects = report.Effects(
        first_tick=1, last_tick=5, rows=100, psi=report.ScoreReport(0.04, 0.03, 0.05),
        jensen_shannon_distance=report.ScoreReport(0.05, 0.04, 0.06), wasserstein=report.ScoreReport(0.03, 0.02, 0.04),
        chi_square=report.ScoreReport(0.1, 0.1, 0.1), ks=report.ScoreReport(0.1, 0.1, 0.1), missing_ratio=0.001,
        missing_ratio_reference=0.001, unseen_ratio=0.0, out_of_range_ratio=0.002, mismatches=0,
    )  # fmt: skip
    feature = report.FeatureReport(
        name="basket", side="input", family="features", kind="numeric", evidence_ratio=0.02, onset_tick=None,
        episode_id=None, effects=effects,
    )  # fmt: skip
    made = report.Report(
        made_at=now, started_at=now - seconds, state="watching", model=FLEET_MODEL, version="11",
        profile=report.ProfileInfo(
            hash="9f31c2", model=FLEET_MODEL, version="11", created="now", rows=50_000, features=1, excluded=(),
            warnings=(),
        ),
        ticks=report.TickStatus(tick_seconds=60, open=(), last_closed=5, closed_total=5, late_rows=0),
        families=(report.Family(name="features", evidence_ratio=0.02, threshold=1e5, share=1.0, alarms_total=0),),
        features=(feature,),
        findings_total={"constant": 0, "missing": 1, "new_column": 0},
    )  # fmt: skip
    monitor = MonitorReading(
        namespace=namespace, monitor=FLEET_MODEL, reports=(made,), pods_expected=12, pods_heard=11,
        control=ControlStatus(
            totals=(
                ("retrain", "refused", "cooldown", 1),
                ("retrain", "executed", "drift", 2),
                ("resize", "executed", "outside_bounds", int(seconds / 25)),
                ("scale", "executed", "above_target", int(seconds / 20)),
            )
        ),
        refused_reports={"late": int(seconds / 20)}, dropped_ticks=0, checkpoint_bytes=180_000,
        replicas=ReplicasReading(
            current=DESIRED - 1, desired=DESIRED, held="policy_limit", scaled_at=now - 90,
            ratios={"concurrency": SIGNAL, "cpu": 0.8},
        ),
        resources=ResourcesReading(
            container="model",
            bounds={
                "lower": {"cpu": 0.8, "memory": 1.5 * GIB}, "target": {"cpu": RECOMMENDED, "memory": 2 * GIB},
                "upper": {"cpu": 1.6, "memory": 2.6 * GIB}, "uncapped": {"cpu": RECOMMENDED, "memory": 2 * GIB},
            },
            requests={"cpu": REQUESTED, "memory": 1.75 * GIB},
            held="resize_deferred", states={"steady": 9, "deferred": 1, "wanted": 2}, resized_at=now - 200,
        ),
    )  # fmt: skip
    reading = ControllerReading(
        now=now,
        leading=True,
        release="0.1.0",
        sidecars={"0.1.0": 14, "0.0.9": 1},
        contact_age=seconds % 5,
        api_errors={("get", "timeout"): 1},
        monitors=(monitor,),
    )
    server = ServerReading(
        requests={(namespace, FLEET_MODEL, path, "ok", ""): int(seconds * each) for path, each in REQUESTS.items()},
        labels={(namespace, FLEET_MODEL, "joined"): int(seconds * 3)},
        reviews={("token", "cached"): int(seconds * 2.4), ("token", "allowed"): int(seconds * 0.2)},
        cached={"access": 4, "token": 12},
        connections=12,
        certificates=certificates(now - seconds),
    )
    return Exposition(FleetCollector(lambda: reading, lambda: server)).render("text/plain")


def node(seconds: float) -> tuple[bytes, str]:
    """Return the metrics of the Pilotfish of a node whose kubelet fails now and then."""
    answers = int(seconds)
    reading = NodeScrape(
        pods=12,
        callers=3,
        gpus=8,
        requests={("200", ""): answers, ("401", "token"): answers // 10},
        kubelet={("List", "answered"): answers // 10, ("List", "failed"): answers // 50},
        devices={("nvidia.com/gpu", "allocatable"): 8, ("nvidia.com/gpu", "allocated"): 3},
        problems=("kubelet_hung",),
    )
    return Exposition(NodeCollector(lambda: reading)).render("text/plain")


def injector(seconds: float, now: float) -> tuple[bytes, str]:
    """Return the metrics of an injector that admits a pod every other second, and refuses one in ten."""
    pods = int(seconds / 2)
    reading = InjectorReading(
        ready=True,
        reviews={"answered": pods, "failed": 0, "invalid": 0},
        injections={("port", "named_ports"): pods - pods // 10, ("none", "host_network"): pods // 10},
        sized={("sized", "Recommended"): pods // 2, ("kept", "Quota"): pods // 20},
        bounds=(0.001, 0.01, 0.1, 1.0),
        times=(pods // 2, pods - pods // 2 - pods // 20, pods // 20, 0, 0),
        seconds=pods * 0.003,
        objects={"namespaces": 12, "replicasets": 80, "services": 40},
        ages={"namespaces": seconds % 60, "services": (seconds + 20) % 60},
        repairs={"configmap": 0, "webhook": int(seconds > 60)},
        outdated={"configmap": 0, "webhook": 0},
        certificates=certificates(now - seconds),
    )
    return Exposition(InjectorCollector(lambda: reading)).render("text/plain")
