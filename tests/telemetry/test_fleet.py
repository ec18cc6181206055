"""The controller's metrics: the same as a sidecar's where the meaning is the same, each with namespace and monitor."""

from __future__ import annotations

from dataclasses import replace

import msgspec
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pilotfish.sidecar.report.control_status import ControlStatus
from pilotfish.sidecar.telemetry.cluster_names import CERTIFICATES, FLEET
from pilotfish.sidecar.telemetry.exposition import Exposition
from pilotfish.sidecar.telemetry.fleet import (
    ControllerReading,
    FleetCollector,
    MonitorReading,
    ReplicasReading,
    ServerReading,
)
from pilotfish.sidecar.telemetry.names import METRICS
from pilotfish.sidecar.telemetry.resize_names import RESIZING
from pilotfish.sidecar.telemetry.resizing import STATES, ResourcesReading
from pilotfish.sidecar.telemetry.scaling_names import SCALING
from tests.telemetry.made import HOSTILE, NOW, whole_report

CONTROL = ControlStatus(totals=(("retrain", "delivered", "drift", 2),), waiting=(("retrain", "hook", 1),))
SERVER = ServerReading(
    requests={("shop", "prices", "/v1/sync", "ok", ""): 5, ("", "", "/v1/sync", "refused", "token"): 1},
    labels={("shop", "prices", "joined"): 3},
    reviews={("token", "cached"): 9},
    cached={"token": 2},
    connections=4,
    certificates={"serving": 1_800_000_000.0},
)
OWN = (
    "process_",
    "pilotfish_certificate_",
    "pilotfish_build_info",
    "pilotfish_ready",
    "pilotfish_memory",
    "pilotfish_kube",
    "pilotfish_control_",
    "pilotfish_sidecars",
)


def monitor(namespace: str, name: str = "prices") -> MonitorReading:
    report = whole_report()
    return MonitorReading(
        namespace=namespace,
        monitor=name,
        reports=(msgspec.structs.replace(report, version="1"), msgspec.structs.replace(report, version="2")),
        control=CONTROL,
        pods_expected=3,
        pods_heard=2,
        holding="quorum",
        dropped_ticks=4,
        refused_reports={"late": 1},
        checkpoint_bytes=1000,
        replicas=ReplicasReading(current=3, desired=5, held="cooldown", ratios={"concurrency": 1.5}, scaled_at=NOW),
        resources=ResourcesReading(
            container="model",
            bounds={"target": {"cpu": 0.5, "memory": 2.0**28}, "upper": {"cpu": 1.0}},
            requests={"cpu": 0.25},
            held="mode",
            states={"wanted": 3},
            resized_at=NOW,
        ),
    )


def text(*monitors: MonitorReading, accept: str = "") -> str:
    reading = ControllerReading(
        now=NOW,
        leading=True,
        contact_age=0.5,
        api_errors={("get", "timeout"): 1},
        sidecars={"1.1": 3},
        monitors=monitors,
    )
    return Exposition(FleetCollector(lambda: reading, lambda: SERVER)).render(accept)[0].decode()


def test_every_series_of_a_monitor_names_it_and_two_namespaces_never_share_one() -> None:
    found = text(monitor("shop"), monitor("staging"))
    series = set()
    for family in parse_text(found):
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in series
            series.add(key)
            if not sample.name.startswith(OWN):
                assert sample.labels["namespace"] in ("shop", "staging"), sample
                assert sample.labels["monitor"] == "prices"
    names = {name for name, *_ in series}
    assert {"pilotfish_drift_evidence_ratio", "pilotfish_feature_psi", "pilotfish_intents_total"} <= names


def test_sidecars_of_another_release_are_outdated_and_labels_of_pods_make_a_bounded_number_of_series() -> None:
    sidecars = {"1.1": 5, "1.0": 3, "": 2, **{f"made-up-{index}": 1 for index in range(50)}}
    reading = ControllerReading(now=NOW, leading=True, release="1.1", sidecars=sidecars)
    found = {
        (sample.name, sample.labels.get("release", "")): sample.value
        for family in parse_text(Exposition(FleetCollector(lambda: reading, lambda: SERVER)).render("")[0].decode())
        for sample in family.samples
        if sample.name.startswith("pilotfish_sidecars")
    }
    assert found["pilotfish_sidecars_outdated", ""] == 53
    assert found["pilotfish_sidecars", "1.1"] == 5
    assert found["pilotfish_sidecars", ""] == 2
    assert sum(value for (name, _), value in found.items() if name == "pilotfish_sidecars") == 60
    assert len(found) == 12


def test_blind_spots_of_a_fleet_have_a_sample_each() -> None:
    found = {
        sample.labels["reason"]: sample.value
        for family in parse_text(text(replace(monitor("shop"), blind=frozenset({"bypassed"}))))
        for sample in family.samples
        if sample.name == "pilotfish_blind"
    }
    assert found == {"bypassed": 1, "fleet_silent": 0, "idle": 0, "no_profile": 0}


def test_each_state_of_a_resize_has_a_sample() -> None:
    found = {
        sample.labels["state"]: sample.value
        for family in parse_text(text(monitor("shop")))
        for sample in family.samples
        if sample.name == "pilotfish_resize_state"
    }
    assert found == {**dict.fromkeys(STATES, 0), "wanted": 3}


def test_versions_of_a_model_are_told_apart() -> None:
    found = {
        sample.labels["version"]
        for family in parse_text(text(monitor("shop")))
        for sample in family.samples
        if sample.name == "pilotfish_drift_alarms_total"
    }
    assert found == {"1", "2"}


def test_every_metric_of_the_controller_is_exposed_and_valid_in_both_formats() -> None:
    found = {
        family.name + ("_total" if family.type == "counter" else "") for family in parse_text(text(monitor("shop")))
    }
    assert {metric.name for metric in METRICS if metric.group in {CERTIFICATES, FLEET, RESIZING, SCALING}} <= found
    assert found <= {metric.name for metric in METRICS}
    openmetrics = text(monitor("shop"), monitor("b"), accept="application/openmetrics-text; version=1.0.0")
    assert len(list(parse_openmetrics(openmetrics))) == len(found)


def test_hostile_names_are_escaped() -> None:
    names = {
        sample.labels.get("monitor")
        for family in parse_text(text(monitor("shop", HOSTILE)))
        for sample in family.samples
    }
    assert HOSTILE in names
