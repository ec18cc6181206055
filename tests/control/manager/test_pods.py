"""Which pods a monitor has, which of them should report, and which version is the primary one."""

from __future__ import annotations

from pilotfish.sidecar.control.manager.pods import (
    MonitoredPod,
    epoch_seconds,
    expected_pods,
    monitored_pods,
    primary_version,
    running_containers,
    trim_pod,
)
from pilotfish.sidecar.control.manager.resizing_pods import oom_kills, resources_of
from pilotfish.sidecar.control.manager.scaling_pods import read_pods
from pilotfish.sidecar.control.manager.scaling_sources import SignalReading
from pilotfish.sidecar.control.manager.selectors import from_text
from pilotfish.sidecar.settings.scaling import Scaling
from tests.control.manager.worlds import pod_item

SELECTOR = from_text("app=delays")


def test_pods_of_other_workloads_and_ended_pods_do_not_belong_to_the_monitor() -> None:
    ended = pod_item("c")
    ended["status"]["phase"] = "Succeeded"
    found = monitored_pods([pod_item("a"), pod_item("b", app="other"), ended], SELECTOR, "")
    assert [pod.name for pod in found.values()] == ["a"]


def test_a_pod_is_expected_to_report_since_it_is_ready_and_until_it_ends() -> None:
    leaving, starting = pod_item("c"), pod_item("b", ready=False)
    leaving["metadata"]["deletionTimestamp"] = "2027-01-15T07:30:00Z"
    found = monitored_pods([pod_item("a"), starting, leaving], SELECTOR, "")
    assert expected_pods(found.values(), "7").pods == {"uid-a": epoch_seconds("2027-01-15T07:00:00Z")}
    assert set(found) == {"uid-a", "uid-b", "uid-c"}  # all three may send counts


def test_a_pod_without_the_label_has_the_version_of_the_document() -> None:
    pod = pod_item("a")
    del pod["metadata"]["labels"]["pilotfish.dev/model-version"]
    assert monitored_pods([pod], SELECTOR, "9")["uid-a"].version == "9"


def test_the_mirror_keeps_all_that_is_read_of_a_pod() -> None:
    container = {"name": "model", "image": "model:7", "resources": {"requests": {"cpu": "500m", "storage": "1Gi"}}}
    whole = {**pod_item("a"), "spec": {"containers": [container]}}
    whole["metadata"]["creationTimestamp"] = whole["status"]["startTime"] = "2027-01-15T06:59:00Z"
    assert monitored_pods([trim_pod(whole)], SELECTOR, "") == monitored_pods([whole], SELECTOR, "")
    settings = Scaling(max_replicas=5)
    trimmed, untrimmed = (
        read_pods([item], SELECTOR, settings, {}, SignalReading(), 1.8e9) for item in (trim_pod(whole), whole)
    )
    assert trimmed == untrimmed
    assert trimmed.pods[0].started_at == epoch_seconds("2027-01-15T06:59:00Z")
    assert trim_pod(whole)["spec"] == {"containers": [{"name": "model", "resources": {"requests": {"cpu": "500m"}}}]}


def test_the_mirror_keeps_the_requests_of_containers_that_run_as_long_as_the_pod() -> None:
    sidecar, init = {"name": "sidecar", "restartPolicy": "Always"}, {"name": "download"}
    trimmed = trim_pod(
        {**pod_item("a"), "spec": {"containers": [{"name": "model"}], "initContainers": [sidecar, init]}}
    )
    assert [one["name"] for one in running_containers(trimmed)] == ["model", "sidecar"]


def test_the_mirror_keeps_what_a_resize_depends_on() -> None:
    resources = {"requests": {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "1"}, "limits": {"memory": "1Gi"}}
    policy = [{"resourceName": "memory", "restartPolicy": "RestartContainer"}]
    pod = {**pod_item("a"), "spec": {"containers": [{"name": "model", "resources": resources, "resizePolicy": policy}]}}
    ended = {"reason": "OOMKilled", "finishedAt": "2027-01-15T07:59:00Z", "containerID": "c1", "exitCode": 137}
    pod["status"]["containerStatuses"] = [
        {"name": "model", "resources": resources, "lastState": {"terminated": ended}, "state": {"running": {}}}
    ]
    trimmed = trim_pod(pod)
    assert [kill for _, kill in oom_kills(trimmed, "model")] == [kill for _, kill in oom_kills(pod, "model")]
    assert resources_of(trimmed, "model") == resources_of(pod, "model")
    assert trimmed["spec"]["containers"][0]["resizePolicy"] == policy
    assert trimmed["status"]["containerStatuses"][0]["state"] == {"running": {}}


def pods(*versions: str) -> list[MonitoredPod]:
    return [MonitoredPod(str(index), "", version, 0.0) for index, version in enumerate(versions)]


def test_a_rollout_changes_the_primary_version_once() -> None:
    present = None
    seen = []
    for served in (["7"] * 4, ["7"] * 3 + ["8"], ["7", "7", "8", "8"], ["7", "8", "8", "8"], ["7", "7", "8", "8"], []):
        present = primary_version(pods(*served), present)
        seen.append(present)
    assert seen == ["7", "7", "7", "8", "8", "8"]
