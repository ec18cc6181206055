"""The example for KEDA with real KEDA: the replicas follow the controller, and hold while it has no number.

KEDA creates a HorizontalPodAutoscaler, and kube-controller-manager evaluates it. In the first test, the number comes
from the HTTP server of the controller, with real tokens and rights. In the second, it comes from the whole controller,
to which pods send their load. There is no node: the test itself lets the pods become ready.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.callers.reviews import reviewer
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.control.manager.server.backend import ScaleAnswer
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.serving.tls import TlsFiles
from tests.cluster.sidecars import Sidecars
from tests.control.server.made import SmallBackend
from tests.e2e.control.installed import SYSTEM, Installation, install_kind, start_replicas
from tests.support.cluster import ControlPlane, running_control_plane
from tests.support.keda import start_keda
from tests.support.tls import ONE, trusting
from tests.support.waiting import patient

pytestmark = [pytest.mark.asyncio, pytest.mark.node]

EXAMPLES = Path(__file__).parents[2] / "docs/examples/autoscalers"
SERVICE = "https://pilotfish-control.pilotfish-system.svc:8443"
NAMESPACES = ("flights", "fleet")
TARGET, SCALED, HPA = "deployment/delays", "scaledobject/delays", "hpa/keda-hpa-delays"
FALLBACK = '.status.conditions[?(@.type=="Fallback")].status'
VALUE = ".status.currentMetrics[0].external.current.averageValue"
REVIEWS = (
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
)
LOST = ScaleAnswer(reason="stale", problem="no pod has sent signals for 60 s; check the pods")


@dataclass(frozen=True)
class Scene:
    """A control plane with KEDA, and the installed controller; a Deployment in each namespace of NAMESPACES."""

    plane: ControlPlane
    installation: Installation

    async def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl without blocking the event loop."""
        return await asyncio.to_thread(self.plane.kubectl, *arguments, stdin=stdin)

    async def wait_for(self, namespace: str, what: str, path: str, value: object) -> None:
        """Wait until the JSONPath `path` of an object has a value."""
        limit, condition = f"--timeout={patient(60):.0f}s", f"--for=jsonpath={{{path}}}={value}"
        await self.kubectl("wait", what, "-n", namespace, condition, limit)

    async def read(self, namespace: str, what: str) -> dict[str, Any]:
        """Return an object."""
        return dict(json.loads(await self.kubectl("get", what, "-n", namespace, "-o", "json")))


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A scene whose HorizontalPodAutoscalers are evaluated every two seconds."""
    period = "--horizontal-pod-autoscaler-sync-period=2s"
    with running_control_plane(tmp_path_factory, manager=[period]) as plane:
        try:
            for name in (SYSTEM, *NAMESPACES):
                plane.kubectl("create", "namespace", name)
                plane.kubectl(
                    "wait", "--for=create", "serviceaccount/default", "-n", name, f"--timeout={patient(30):.0f}s"
                )
            install_kind(plane)
            installation = start_replicas(plane, SYSTEM, plane.kubeconfig, plane.children, plane.folder)
            accounts = [(name, "pilotfish-keda") for name in NAMESPACES]
            start_keda(plane, trusted=[ONE[0], installation.certificate], accounts=accounts)
            plane.apply(*map(deployment, NAMESPACES))
            yield Scene(plane, installation)
        finally:
            print(plane.children.report())


def deployment(namespace: str) -> dict[str, Any]:
    """Return the target of the example, with one replica."""
    labels = {"app": "delays", "pilotfish.dev/injected": "true"}
    container = {"name": "model", "image": "model"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "delays", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "delays"}},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def example(name: str, namespace: str, url: str = SERVICE) -> list[dict[str, Any]]:
    """Return the documents of an example for a namespace, with the controller at `url`."""
    text = (EXAMPLES / name).read_text().replace(SERVICE, url).replace("/flights/", f"/{namespace}/")
    return list(yaml.safe_load_all(text.replace("namespace: flights", f"namespace: {namespace}")))


def keda(namespace: str, url: str, *, exact: bool = True) -> str:
    """Return the example with a poll every second; without its tolerance if not `exact`."""
    documents = example("keda.yaml", namespace, url)
    documents[-1]["spec"]["pollingInterval"] = 1
    if not exact:
        for rules in documents[-1]["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"].values():
            del rules["tolerance"]
    return yaml.safe_dump_all(documents)


def comparable(autoscaler: dict[str, Any]) -> tuple[Any, ...]:
    """Return what two HorizontalPodAutoscalers have to have in common to set the same replicas."""
    spec = autoscaler["spec"]
    targets = [metric["external"]["target"] for metric in spec["metrics"]]
    return spec["minReplicas"], spec["maxReplicas"], spec["scaleTargetRef"], targets, spec["behavior"]


async def test_the_replicas_follow_the_number_and_hold_without_one(scene: Scene) -> None:
    namespace, place = "flights", ("flights", "delays")
    kubeconfig = await asyncio.to_thread(scene.plane.account, "default", "control", REVIEWS, cluster=True)
    kube = await Kube.connect(kubeconfig)
    backend = SmallBackend()
    certificates = CertificateFiles(TlsFiles(*ONE))
    server = ControlServer(backend, reviewer(kube), ServerOptions(listen="127.0.0.1:0", certificates=certificates))
    backend.scales[place] = ScaleAnswer(desired=5, reason="scaling")
    await server.start()
    try:
        url = f"https://127.0.0.1:{server.port}"
        await scene.kubectl("apply", "-f", "-", stdin=keda(namespace, url))
        for desired in (5, 12, 13, 12, 3):  # 12 to 13 is within the usual tolerance of an HPA
            backend.scales[place] = ScaleAnswer(desired=desired, reason="scaling")
            await scene.wait_for(namespace, TARGET, ".spec.replicas", desired)
            await scene.wait_for(namespace, TARGET, ".status.replicas", desired)
            await scene.wait_for(namespace, HPA, ".status.desiredReplicas", desired)
        assert comparable(await scene.read(namespace, HPA)) == comparable(example("hpa.yaml", namespace)[0])
        backend.scales[place] = LOST
        await scene.wait_for(namespace, SCALED, FALLBACK, "True")
        await scene.wait_for(namespace, HPA, VALUE, 1)
        await scene.wait_for(namespace, TARGET, ".spec.replicas", 3)
        backend.scales[place] = ScaleAnswer(desired=4, reason="scaling")
        await scene.wait_for(namespace, TARGET, ".spec.replicas", 4)
        await scene.wait_for(namespace, SCALED, FALLBACK, "False")
        await scene.kubectl("apply", "-f", "-", stdin=keda(namespace, url, exact=False))
        backend.scales[place] = ScaleAnswer(desired=12, reason="scaling")
        await scene.wait_for(namespace, TARGET, ".status.replicas", 12)
        backend.scales[place] = ScaleAnswer(desired=13, reason="scaling")
        await scene.wait_for(namespace, HPA, VALUE, "1084m")
        assert (await scene.read(namespace, TARGET))["spec"]["replicas"] == 12
    finally:
        await server.stop()
        await kube.close()
    await scene.wait_for(namespace, SCALED, FALLBACK, "True")
    await scene.wait_for(namespace, TARGET, ".spec.replicas", 12)


async def test_the_whole_chain_scales_by_the_signals_of_pods_and_holds_when_they_or_the_controller_fall_silent(
    scene: Scene,
) -> None:
    namespace, leader = "fleet", await asyncio.to_thread(scene.installation.leader)
    assert leader is not None
    kube = await Kube.connect(scene.plane.kubeconfig)
    trusted = trusting(scene.installation.certificate)
    sidecars = Sidecars(kube, namespace, "delays", leader.url, trusted, load=40.0)
    monitor = example("monitor.yaml", namespace)[0]
    monitor["spec"]["scaling"]["interval"] = "5s"
    try:
        async with sidecars.running():
            await scene.kubectl("apply", "-f", "-", stdin=json.dumps(monitor))
            await scene.kubectl("apply", "-f", "-", stdin=keda(namespace, leader.url))
            await scene.wait_for(namespace, TARGET, ".spec.replicas", 5)  # 40 in flight, 8 for each replica
            await scene.wait_for(namespace, "modelmonitor/delays", ".status.replicas.desired", 5)
            await scene.wait_for(namespace, SCALED, FALLBACK, "False")
            sidecars.load = None
            await scene.wait_for(namespace, SCALED, FALLBACK, "True")
            await scene.wait_for(namespace, TARGET, ".spec.replicas", 5)
            sidecars.load = 40.0
            await scene.wait_for(namespace, SCALED, FALLBACK, "False")
            for replica in scene.installation.replicas:
                await asyncio.to_thread(replica.kill)
            await scene.wait_for(namespace, SCALED, FALLBACK, "True")
            await scene.wait_for(namespace, TARGET, ".spec.replicas", 5)
    finally:
        await kube.close()
