"""A real API server calls the injector, which has exactly the rights of the rendered chart."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.settings.crd import crd_text
from tests.inject.server.running import TEMPLATE, WEBHOOK, Object, pod
from tests.support.cluster import ControlPlane
from tests.support.ports import free_port
from tests.support.processes import Child
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

MANIFESTS = files("pilotfish.sidecar.inject").joinpath("data/manifests.yaml")
CLUSTER_WIDE = ("clusterrole", "clusterrolebinding", "mutatingwebhookconfiguration")


@dataclass
class RealRelease:
    """The objects of a release in a namespace of its own, and its injector, which is reached at the loopback."""

    plane: ControlPlane
    system: str
    kubeconfig: Path
    port: int
    metrics: int
    opted_in: str
    resized: str
    process: Child | None = None

    def start(self) -> None:
        """Start the injector, and wait until the API server trusts it."""
        options = {
            "template": TEMPLATE, "namespace": self.system, "kubeconfig": self.kubeconfig, "drain-seconds": 0,
            "resize-namespace": self.resized,
            "listen": f"127.0.0.1:{self.port}", "metrics-listen": f"127.0.0.1:{self.metrics}", "pod-name": "one",
        }  # fmt: skip
        command = [sys.executable, "-m", "pilotfish.sidecar.cli", "injector"]
        self.process = self.plane.children(*command, *(f"--{name}={value}" for name, value in options.items()))
        wait_until(lambda: self.injects() or not self.running(), timeout=60, what="the first injection")
        assert self.running(), self.plane.children.report()

    def running(self) -> bool:
        return self.process is not None and self.process.running()

    def kill(self) -> None:
        """Kill the injector."""
        assert self.process is not None
        self.process.process.kill()
        self.process.process.wait(timeout=patient(10))

    def injects(self) -> bool:
        """Return whether a pod of an opted-in namespace would be injected now."""
        return is_injected(self.create(self.opted_in, pod(name="probe"), "--dry-run=server"))

    def namespace(self, label: str = "") -> str:
        """Create a namespace with a Service of the pods of `pod()`, and return its name."""
        return model_namespace(self.plane, label)

    def create(self, namespace: str, item: Object, *options: str) -> Object:
        """Create an object, and return it as the API server admitted it."""
        text = self.plane.kubectl("create", "-n", namespace, "-o", "json", *options, "-f", "-", stdin=json.dumps(item))
        found: Object = json.loads(text)
        return found

    def get(self, *what: str) -> Any:
        """Return an object, or a list."""
        return json.loads(self.plane.kubectl("get", *what, "-o", "json"))

    def scrape(self) -> str:
        """Return the metrics of the injector."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=patient(5)) as response:
            return str(response.read().decode())

    def point(self, policy: str = "Ignore") -> None:
        """Let all webhooks call the loopback, since there is no network of Services, with a failure policy."""
        found = self.get("mutatingwebhookconfiguration", WEBHOOK)
        operations = []
        for index, webhook in enumerate(found["webhooks"]):
            client = webhook["clientConfig"]
            client.pop("service", None)
            client["url"] = f"https://127.0.0.1:{self.port}/inject"
            operations.append({"op": "add", "path": f"/webhooks/{index}/clientConfig", "value": client})
            operations.append({"op": "add", "path": f"/webhooks/{index}/failurePolicy", "value": policy})
        patch = json.dumps(operations)
        self.plane.kubectl("patch", "mutatingwebhookconfiguration", WEBHOOK, "--type=json", "-p", patch)


def model_namespace(plane: ControlPlane, label: str = "") -> str:
    """Create a namespace with a Service of the pods of `pod()`, and return its name."""
    name = plane.namespace()
    spec = {"selector": {"app": "prices"}, "ports": [{"port": 80, "targetPort": "http"}]}
    metadata = {"name": "prices", "namespace": name}
    plane.apply({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    if label:
        plane.kubectl("label", "namespace", name, f"pilotfish.dev/inject={label}")
    return name


def is_injected(item: Object) -> bool:
    """Return whether a pod has both sidecars, once."""
    names = [one["name"] for one in item["spec"].get("initContainers", ())]
    return names.count("pilotfish-proxy") == names.count("pilotfish-analyzer") == 1


@pytest.fixture(scope="module")
def release(control_plane: ControlPlane) -> Iterator[RealRelease]:
    system = control_plane.namespace()
    objects = list(yaml.safe_load_all(MANIFESTS.read_text().replace("pilotfish-system", system)))
    objects = [item for item in objects if item and item["kind"] != "Deployment"]
    try:
        control_plane.apply(*objects)
        token = control_plane.token(system, WEBHOOK)
        config = yaml.safe_load(control_plane.kubeconfig.read_text())
        config["users"] = [{"name": "test", "user": {"token": token}}]
        kubeconfig = control_plane.folder / f"kubeconfig-{system}"
        kubeconfig.write_text(yaml.safe_dump(config))
        opted_in = model_namespace(control_plane, "all")
        resized = model_namespace(control_plane)
        found = RealRelease(control_plane, system, kubeconfig, free_port(), free_port(), opted_in, resized)
        found.point()
        found.start()
        yield found
        with suppress(AssertionError):
            found.kill()
    finally:
        for kind in CLUSTER_WIDE:
            control_plane.kubectl("delete", kind, WEBHOOK, "--ignore-not-found")
            control_plane.kubectl("delete", kind, "pilotfish-control", "--ignore-not-found")


def deployment() -> Object:
    item = pod()
    spec = {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "prices"}},
        "template": {"metadata": {"labels": {"app": "prices"}}, "spec": item["spec"]},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "prices"}, "spec": spec}


def test_the_pods_of_a_deployment_are_injected_and_one_event_names_it(release: RealRelease) -> None:
    place = release.namespace("all")
    release.create(place, deployment())
    wait_until(lambda: len(release.get("pods", "-n", place)["items"]) == 3, timeout=30, what="three pods")
    pods = release.get("pods", "-n", place)["items"]
    assert all(is_injected(item) for item in pods)
    assert {item["metadata"]["labels"]["pilotfish.dev/injected"] for item in pods} == {"true"}

    def events() -> list[Object]:
        found = release.get("events.events.k8s.io", "-n", place)["items"]
        return [one for one in found if one.get("reportingController") == "pilotfish.dev/injector"]

    wait_until(events, what="an Event")
    assert {(one["regarding"]["kind"], one["reason"]) for one in events()} == {("Deployment", "NamedPorts")}
    assert len(events()) == 1
    bundle = release.get("configmap", "pilotfish-ca", "-n", place)["data"]["ca.crt"]
    assert bundle.count("BEGIN CERTIFICATE") == 1


def test_a_pod_that_is_reviewed_again_is_injected_once(release: RealRelease) -> None:
    found = release.get("mutatingwebhookconfiguration", WEBHOOK)["webhooks"][0]
    again = json.dumps([{"op": "add", "path": "/webhooks/-", "value": {**found, "name": "again.pilotfish.dev"}}])
    release.plane.kubectl("patch", "mutatingwebhookconfiguration", WEBHOOK, "--type=json", "-p", again)
    try:
        place = release.namespace("all")
        assert is_injected(release.create(place, pod()))
    finally:
        remove = json.dumps([{"op": "remove", "path": "/webhooks/3"}])
        release.plane.kubectl("patch", "mutatingwebhookconfiguration", WEBHOOK, "--type=json", "-p", remove)


def test_a_dry_run_shows_the_sidecars_and_leaves_no_event(release: RealRelease) -> None:
    place = release.namespace("all")
    assert is_injected(release.create(place, pod(name="dry"), "--dry-run=server"))
    assert is_injected(release.create(place, pod(name="wet")))

    def events() -> list[str]:
        return [one["regarding"]["name"] for one in release.get("events.events.k8s.io", "-n", place)["items"]]

    wait_until(events, what="the Event of the other pod")
    assert events() == ["wet"]


def test_a_pod_alone_may_ask_and_a_pod_may_refuse(release: RealRelease) -> None:
    place = release.namespace()
    assert not is_injected(release.create(place, pod()))
    assert is_injected(release.create(place, pod(labels={"app": "prices", "pilotfish.dev/inject": "true"})))
    opted = release.namespace("all")
    assert not is_injected(release.create(opted, pod(labels={"app": "prices", "pilotfish.dev/inject": "false"})))


def bundles(release: RealRelease) -> set[str]:
    webhooks = release.get("mutatingwebhookconfiguration", WEBHOOK)["webhooks"]
    return {webhook["clientConfig"].get("caBundle", "") for webhook in webhooks}


def test_a_bundle_that_is_reset_is_repaired_and_the_writer_is_named(release: RealRelease) -> None:
    (bundle,) = bundles(release)
    assert bundle
    for value in ("", None):
        path = "/webhooks/0/clientConfig/caBundle"
        operation = {"op": "remove", "path": path} if value is None else {"op": "add", "path": path, "value": value}
        mark = {
            "op": "add",
            "path": "/metadata/annotations/reset",
            "value": str(value),
        }  # a field that the writer keeps
        patch = json.dumps([operation, mark])
        release.plane.kubectl("patch", "mutatingwebhookconfiguration", WEBHOOK, "--type=json", "-p", patch)
        wait_until(lambda: bundles(release) == {bundle}, what="the repair")
    process = release.process
    assert process is not None
    wait_until(lambda: "was changed by 'kubectl-patch'" in process.errors(), what="the name of the writer")
    place = release.namespace("all")
    release.plane.kubectl("delete", "configmap", "pilotfish-ca", "-n", place, "--ignore-not-found")
    wait_until(
        lambda: release.plane.kubectl("get", "configmap", "pilotfish-ca", "-n", place, "--ignore-not-found"),
        what="the ConfigMap",
    )


@pytest.mark.parametrize(
    ("policy", "admitted"), [("Ignore", True), ("Fail", False)], ids=["fails open", "fails closed"]
)
def test_without_an_injector_the_failure_policy_decides(release: RealRelease, policy: str, admitted: bool) -> None:
    place = release.opted_in
    release.point(policy)
    release.kill()
    try:
        if admitted:
            assert not is_injected(release.create(place, pod()))
        else:
            with pytest.raises(AssertionError, match=r"failed calling webhook"):
                release.create(place, pod())
    finally:
        release.point()
        release.start()
    assert is_injected(release.create(place, pod()))


def test_a_monitor_opts_in_the_pods_of_its_deployment(release: RealRelease) -> None:
    place = release.namespace()
    release.plane.kubectl("apply", "--server-side", "-f", "-", stdin=crd_text())
    release.plane.wait_for_kinds("modelmonitors.pilotfish.dev")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "prices"}
    monitor = {"apiVersion": "pilotfish.dev/v1alpha1", "kind": "ModelMonitor", "metadata": {"name": "prices"}}
    release.create(place, {**monitor, "spec": {"targetRef": target}})
    monitors = len(release.get("modelmonitors", "-A")["items"])  # other tests have monitors in the same cluster
    known = f'pilotfish_mirror_objects{{kind="modelmonitors.pilotfish.dev"}} {monitors}.0'
    wait_until(lambda: known in release.scrape(), timeout=30, what="the monitor")
    release.create(place, deployment())
    wait_until(lambda: len(release.get("pods", "-n", place)["items"]) == 3, timeout=30, what="three pods")
    assert all(is_injected(item) for item in release.get("pods", "-n", place)["items"])


def test_new_pods_get_the_recommended_resources_and_the_template_stays(release: RealRelease) -> None:
    place = release.resized
    release.plane.kubectl("apply", "--server-side", "-f", "-", stdin=crd_text())
    release.plane.wait_for_kinds("modelmonitors.pilotfish.dev")
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "prices"}
    resources = {"container": "model", "cpu": {"max": 4}, "memory": {"max": "4Gi"}, "mode": "act"}
    monitor = {"apiVersion": "pilotfish.dev/v1alpha1", "kind": "ModelMonitor", "metadata": {"name": "prices"}}
    release.create(place, {**monitor, "spec": {"targetRef": target, "resources": resources}})
    limits = {"limits": [{"type": "Container", "max": {"memory": "1536Mi"}}]}
    release.create(place, {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"}, "spec": limits})
    recommended = {"container": "model", "target": {"cpu": "750m", "memory": "1Gi"}}
    patch = json.dumps({"status": {"observedGeneration": 1, "resources": [recommended]}})
    status = ("patch", "modelmonitor", "prices", "-n", place, "--subresource=status", "--type=merge", "-p", patch)
    release.plane.kubectl(*status)
    item = deployment()
    container = item["spec"]["template"]["spec"]["containers"][0]
    container["resources"] = {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    release.create(place, item)

    def sized() -> list[Object]:
        pods = release.get("pods", "-n", place)["items"]
        return [one for one in pods if "pilotfish.dev/resources" in one["metadata"].get("annotations", {})]

    def add_pod() -> bool:
        """Scale to one more pod until one is sized: the injector may know the status a moment later."""
        replicas = release.get("deployment", "prices", "-n", place)["spec"]["replicas"]
        release.plane.kubectl("scale", "deployment", "prices", "-n", place, f"--replicas={replicas + 1}")
        return bool(sized())

    wait_until(lambda: sized() or add_pod(), timeout=60, what="a pod with the recommended resources")
    expected = {"requests": {"cpu": "750m", "memory": "768Mi"}, "limits": {"cpu": "1500m", "memory": "1536Mi"}}
    for one in sized():
        found = next(part for part in one["spec"]["containers"] if part["name"] == "model")
        note = json.loads(one["metadata"]["annotations"]["pilotfish.dev/resources"])
        assert found["resources"] == note["to"] == expected
        assert "the LimitRange small allows at most 1536Mi of memory" in note["message"]
        assert one["status"]["qosClass"] == "Burstable"
    template = release.get("deployment", "prices", "-n", place)["spec"]["template"]["spec"]["containers"][0]
    assert template["resources"] == container["resources"]
    assert 'pilotfish_sized_pods_total{outcome="sized",reason="LimitRange"}' in release.scrape()
