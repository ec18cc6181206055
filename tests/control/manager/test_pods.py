"""Which pods a monitor has, which of them should report, and which version is the primary one."""

from __future__ import annotations

from pilotfish.sidecar.control.manager.pods import (
    MonitoredPod,
    epoch_seconds,
    expected_pods,
    monitored_pods,
    primary_version,
    trim_pod,
)
from pilotfish.sidecar.control.manager.selectors import from_text
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
    model = {"name": "model", "image": "model", "resources": {"requests": {"cpu": "1", "gpu": "1"}, "limits": {}}}
    sidecar = {"name": "sidecar", "restartPolicy": "Always"}
    spec = {"containers": [model], "initContainers": [sidecar, {"name": "download"}], "nodeName": "a"}
    trimmed = trim_pod(whole := {**pod_item("a"), "spec": spec})
    assert monitored_pods([trimmed], SELECTOR, "") == monitored_pods([whole], SELECTOR, "")
    assert trimmed["spec"] == {
        "containers": [
            {"name": "model", "resources": {"requests": {"cpu": "1"}}},
            {"name": "sidecar", "resources": {"requests": {}}},
        ]
    }


def pods(*versions: str) -> list[MonitoredPod]:
    return [MonitoredPod(str(index), "", version, 0.0) for index, version in enumerate(versions)]


def test_a_rollout_changes_the_primary_version_once() -> None:
    present = None
    seen = []
    for served in (["7"] * 4, ["7"] * 3 + ["8"], ["7", "7", "8", "8"], ["7", "8", "8", "8"], ["7", "7", "8", "8"], []):
        present = primary_version(pods(*served), present)
        seen.append(present)
    assert seen == ["7", "7", "7", "8", "8", "8"]
