from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from pilotfish.sidecar.inject.context import (
    ClusterService,
    Context,
    MonitorTraffic,
    PodOwner,
    ServicePort,
    monitor_from_object,
    owner_of,
    pool_from_object,
    service_from_object,
)
from pilotfish.sidecar.inject.injection import MAX_ANNOTATIONS, inject
from pilotfish.sidecar.inject.operations import patch_json, pointer
from pilotfish.sidecar.inject.plan import InterceptionMode
from pilotfish.sidecar.inject.reasons import InjectionReason
from tests.generate import ROOT

from . import cases
from .patching import apply

TEMPLATE = cases.template()
SERVICE = ClusterService("scores", {"app": "model"}, (ServicePort("http", 80, "http"),))
BY_NUMBER = ClusterService("scores", {"app": "model"}, (ServicePort("http", 80, 80),))
LOW_PORTS = "net.ipv4.ip_unprivileged_port_start"
MONITOR = MonitorTraffic("scores")


def pod(labels: dict[str, str] | None = None, spec: dict[str, Any] | None = None, **container: Any) -> dict[str, Any]:
    model = {"name": "model", "image": "a", "ports": [{"name": "http", "containerPort": 5000}], **container}
    return {"metadata": {"labels": {"app": "model", **(labels or {})}}, "spec": {"containers": [model], **(spec or {})}}


ALL = {"pilotfish.dev/inject": "all"}
YES, NO = {"pilotfish.dev/inject": "true"}, {"pilotfish.dev/inject": "false"}
JOB = PodOwner("batch/v1", "Job", "scores")
SELECTED: dict[str, tuple[dict[str, Any], Context, InjectionReason]] = {
    "nothing asks": (pod(), Context("models"), InjectionReason.NOT_SELECTED),
    "namespace": (pod(), Context("models", labels=ALL), InjectionReason.NAMED_PORTS),
    "namespace, opted out": (pod(NO), Context("models", labels=ALL), InjectionReason.OPTED_OUT),
    "monitored without a monitor": (
        pod(), Context("models", labels={"pilotfish.dev/inject": "monitored"}), InjectionReason.NOT_SELECTED
    ),
    "monitor": (pod(), Context("models", monitor=MONITOR), InjectionReason.NAMED_PORTS),
    "monitor, opted out": (pod(NO), Context("models", monitor=MONITOR), InjectionReason.OPTED_OUT),
    "pod": (pod(YES), Context("models"), InjectionReason.NAMED_PORTS),
    "job": (pod(), Context("models", labels=ALL, owner=JOB), InjectionReason.NOT_SELECTED),
    "job with a label": (pod(YES), Context("models", owner=JOB), InjectionReason.NAMED_PORTS),
    "one run": (pod(spec={"restartPolicy": "Never"}), Context("models", labels=ALL), InjectionReason.NOT_SELECTED),
    "system": (pod(YES), Context("kube-system", labels=ALL), InjectionReason.NOT_SELECTED),
    "release": (pod(YES), Context("mine", release_namespace="mine"), InjectionReason.NOT_SELECTED),
}  # fmt: skip


@pytest.mark.parametrize("name", SELECTED)
def test_labels_and_monitors_select_pods(name: str) -> None:
    item, context, reason = SELECTED[name]
    injection = inject(item, context, TEMPLATE)
    assert injection.reason is reason
    assert bool(injection.patch) is (reason is InjectionReason.NAMED_PORTS)


def test_a_mirror_pod_is_left_alone() -> None:
    item = pod(YES)
    item["metadata"]["annotations"] = {"kubernetes.io/config.mirror": "x"}
    assert inject(item, Context("models"), TEMPLATE).patch == ()


def test_the_monitor_names_ports_and_interception_and_annotations_win() -> None:
    item = pod(ports=[{"name": "http", "containerPort": 5000}, {"name": "grpc", "containerPort": 5001}])
    by_monitor = inject(item, Context("models", monitor=MonitorTraffic("m", ("grpc",), "port")), TEMPLATE)
    assert [item for item in patch_json(by_monitor.patch) if item["op"] == "remove"] == [
        {"op": "remove", "path": "/spec/containers/0/ports/1/name"}
    ]
    item["metadata"]["annotations"] = {"pilotfish.dev/interception": "move"}
    moved = inject(item, Context("models", monitor=MonitorTraffic("m", ("grpc",), "port")), TEMPLATE)
    assert moved.mode is InterceptionMode.NONE
    wrong = inject(pod(), Context("models", monitor=MonitorTraffic("m", ("h2",))), TEMPLATE)
    assert "spec.traffic.ports of the ModelMonitor m names 'h2'" in wrong.message


@pytest.mark.parametrize(
    ("change", "reason", "name"),
    [
        ({"volumes": [{"name": "pilotfish-shared"}]}, InjectionReason.NAME_TAKEN, "volume with the name"),
        ({"initContainers": [{"name": "pilotfish-proxy"}]}, InjectionReason.NAME_TAKEN, "container with the name"),
        ({"initContainers": [{"name": "a", "ports": [{"name": "pilotfish", "containerPort": 1}]}]},
         InjectionReason.NAME_TAKEN, "port with the name pilotfish"),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}}, InjectionReason.WINDOWS, "Windows"),
        ({"os": {"name": "windows"}}, InjectionReason.WINDOWS, "Windows"),
    ],
)  # fmt: skip
def test_a_pod_into_which_the_sidecars_do_not_fit_is_left_alone(
    change: dict[str, Any], reason: InjectionReason, name: str
) -> None:
    injection = inject(pod(YES, change), Context("models", services=[SERVICE]), TEMPLATE)
    assert injection.reason is reason
    assert name in injection.message
    assert [item["path"] for item in patch_json(injection.patch)] == ["/metadata/annotations"]


@pytest.mark.parametrize("port", [9796, 9797])
def test_a_pod_that_uses_a_port_of_the_sidecars_is_left_alone(port: int) -> None:
    for container in ({"ports": [{"name": "http", "containerPort": port}]}, {"args": [f"--admin=:{port}"]}):
        injection = inject(pod(YES, **container), Context("models", services=[SERVICE]), TEMPLATE)
        assert injection.reason is InjectionReason.PORT_TAKEN
        assert str(port) in injection.message


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        (None, [{"name": LOW_PORTS, "value": "80"}]),
        ({"runAsUser": 7}, [{"name": LOW_PORTS, "value": "80"}]),
        ({"sysctls": None}, [{"name": LOW_PORTS, "value": "80"}]),
        ({"sysctls": [{"name": "a", "value": "1"}]}, [{"name": "a", "value": "1"}, {"name": LOW_PORTS, "value": "80"}]),
        ({"sysctls": [{"name": LOW_PORTS, "value": "0"}]}, [{"name": LOW_PORTS, "value": "0"}]),
        ({"sysctls": [{"name": LOW_PORTS, "value": "443"}]}, [{"name": LOW_PORTS, "value": "80"}]),
    ],
)
def test_the_proxy_may_listen_on_a_low_port_that_it_takes(
    security: dict[str, Any] | None, expected: list[dict[str, str]]
) -> None:
    item = pod(YES, {"securityContext": security}, args=["--port=80"], ports=[{"containerPort": 80}])
    injection = inject(item, Context("models", services=[BY_NUMBER]), TEMPLATE)
    after = apply(item, patch_json(injection.patch))
    assert injection.mode is InterceptionMode.MOVE
    assert after["spec"]["securityContext"]["sysctls"] == expected


def test_other_ports_leave_the_security_context_of_the_pod() -> None:
    item = pod(YES, {"securityContext": {"runAsUser": 7}})
    after = apply(item, patch_json(inject(item, Context("models", services=[SERVICE]), TEMPLATE).patch))
    assert after["spec"]["securityContext"] == {"runAsUser": 7}


@pytest.mark.parametrize("spec", [{}, {"hostNetwork": True}])
def test_a_pod_whose_annotations_are_full_gets_no_further_one(spec: dict[str, Any]) -> None:
    """The API server would refuse the pod."""
    item = pod(YES, spec)
    item["metadata"]["annotations"] = {"example.com/large": "ä" * (MAX_ANNOTATIONS // 2 - 500)}
    injection = inject(item, Context("models", services=[SERVICE]), TEMPLATE)
    assert (injection.patch, injection.reason) == ((), InjectionReason.ANNOTATIONS_FULL)


@pytest.mark.parametrize(("own", "expected"), [(None, ""), ("cache, a", "cache,a,"), ("", "")])
def test_the_volumes_of_the_sidecars_do_not_keep_the_cluster_autoscaler_from_removing_a_node(
    own: str | None, expected: str
) -> None:
    key = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
    item = pod(YES)
    if own is not None:
        item["metadata"]["annotations"] = {key: own}
    after = apply(item, patch_json(inject(item, Context("models", services=[SERVICE]), TEMPLATE).patch))
    empty = ",".join(volume["name"] for volume in TEMPLATE.volumes if "emptyDir" in volume)
    assert empty
    assert after["metadata"]["annotations"][key] == expected + empty


def test_the_annotation_of_a_pod_that_thousands_of_services_select_is_short() -> None:
    services = [replace(SERVICE, name=f"scores-{number}") for number in range(5000)]
    injection = inject(pod(YES), Context("models", services=services), TEMPLATE)
    assert injection.message.endswith("Service scores-4 and 4995 more)")


def test_a_port_name_that_two_containers_have_does_not_move() -> None:
    other = {"name": "other", "image": "b", "ports": [{"name": "http", "containerPort": 6000}]}
    item = pod(YES, args=["uvicorn", "a:b", "--port=5000"])
    item["spec"]["containers"].append(other)
    injection = inject(item, Context("models", services=[SERVICE]), TEMPLATE)
    assert injection.reason is InjectionReason.NAME_TAKEN
    assert injection.message.startswith("container other has a port with the name http too")


def test_pull_secrets_of_the_template_are_added_once() -> None:
    template = replace(TEMPLATE, image_pull_secrets=("one", "two"))
    for present, expected in ((None, ["one", "two"]), ([{"name": "two"}, {"name": "x"}], ["two", "x", "one"])):
        item = pod(YES, {"imagePullSecrets": present})
        after = apply(item, patch_json(inject(item, Context("models", services=[SERVICE]), template).patch))
        assert [secret["name"] for secret in after["spec"]["imagePullSecrets"]] == expected


def test_names_of_annotations_are_escaped_in_pointers() -> None:
    assert pointer("metadata", "annotations", "example.com/a~b", 0) == "/metadata/annotations/example.com~1a~0b/0"


def test_objects_of_the_api_are_read() -> None:
    service = {
        "metadata": {"name": "s"},
        "spec": {"clusterIP": "None", "ports": [{"port": 80}, {"port": 81, "targetPort": "9"}]},
    }
    assert service_from_object(service) == ClusterService(
        "s", {}, (ServicePort("", 80, 80), ServicePort("", 81, 9)), headless=True
    )
    old = {"metadata": {"name": "p"}, "spec": {"targetPortNumber": 8000, "selector": {"app": "a"}}}
    new = {
        "metadata": {"name": "p"},
        "spec": {"targetPorts": [{"number": 8000}], "selector": {"matchLabels": {"app": "a"}}},
    }
    assert pool_from_object(old) == pool_from_object(new)
    monitor = {"metadata": {"name": "m"}, "spec": {"traffic": {"ports": ["http", 9000], "interception": "move"}}}
    assert monitor_from_object(monitor) == MonitorTraffic("m", ("http", 9000), "move")
    assert monitor_from_object({"metadata": {"name": "m"}, "spec": {}}) == MonitorTraffic("m")
    owners = [{"kind": "X", "name": "x"}, {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "controller": True}]
    assert owner_of({"metadata": {"ownerReferences": owners}}) == PodOwner("batch/v1", "Job", "j")
    assert owner_of({}) is None


def test_ten_thousand_services_of_a_namespace_take_a_few_milliseconds() -> None:
    services = [
        ClusterService(f"s-{index}", {"app": f"a-{index}"}, (ServicePort("http", 80, "http"),))
        for index in range(10_000)
    ]
    context = Context("models", services=[*services, SERVICE])
    item = pod(YES)
    times = []
    for _ in range(5):
        start = time.process_time()
        assert inject(item, context, TEMPLATE).mode is InterceptionMode.PORT
        times.append(time.process_time() - start)
    assert min(times) < 0.05


def test_reasons_are_one_alphabetical_table_and_each_is_given_and_documented() -> None:
    names = [reason.name for reason in InjectionReason]
    assert [*InjectionReason] == sorted(InjectionReason)
    source = " ".join(path.read_text() for path in (ROOT / "sidecar/inject").rglob("*.py") if path.name != "reasons.py")
    assert [name for name in names if f"InjectionReason.{name}" not in source] == []
    page = (ROOT / "docs/injection.md").read_text()
    assert [
        reason.value for reason in InjectionReason if f"`{reason}`" not in page or f"`{reason.camel}`" not in page
    ] == []


def test_the_table_of_platforms_says_what_the_corpus_shows() -> None:
    page = (ROOT / "docs/injection.md").read_text()
    rows = dict(re.findall(r"^\| [^|]+ \| `([a-z0-9-]+)` \| `(port|move|redirect|none)` \|$", page, re.MULTILINE))
    assert len(rows) > 20
    assert rows == {name: cases.injected(name)[2].mode.value for name in rows}
