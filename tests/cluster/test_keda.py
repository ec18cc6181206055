"""The example for KEDA with real KEDA: the replicas follow the controller, and hold while it has no number.

KEDA creates a HorizontalPodAutoscaler, kube-controller-manager evaluates it, and the number comes from the HTTP server
of the controller, with real tokens and rights. There is no node: the pods of the Deployment stay Pending.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions, reviewer
from pilotfish.sidecar.control.manager.server.backend import ScaleAnswer
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.serving.tls import TlsFiles
from tests.control.server.made import SmallBackend
from tests.support.cluster import ControlPlane, running_control_plane
from tests.support.keda import start_keda
from tests.support.tls import ONE
from tests.support.waiting import patient

pytestmark = [pytest.mark.asyncio, pytest.mark.node]

EXAMPLES = Path(__file__).parents[2] / "docs/examples/autoscalers"
MANIFEST, HPA_MANIFEST = EXAMPLES / "keda.yaml", EXAMPLES / "hpa.yaml"
SERVICE = "https://pilotfish-control.pilotfish-system.svc:8443"
NAMESPACE, HPA = "flights", "keda-hpa-delays"
REVIEWS = (
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
)
LOST = ScaleAnswer(reason="stale", problem="no pod has sent signals for 60 s; check the pods")


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose HorizontalPodAutoscalers are evaluated every two seconds, with KEDA and a Deployment."""
    period = "--horizontal-pod-autoscaler-sync-period=2s"
    with running_control_plane(tmp_path_factory, manager=[period]) as found:
        try:
            found.kubectl("create", "namespace", NAMESPACE)
            start_keda(found, trusted=ONE[0], accounts=[(NAMESPACE, "pilotfish-keda")])
            found.apply(deployment())
            yield found
        finally:
            print(found.children.report())


def deployment() -> dict[str, Any]:
    """Return the target of the example, with one replica."""
    labels = {"app": "delays"}
    container = {"name": "model", "image": "model"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "delays", "namespace": NAMESPACE},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }


def manifest(url: str, *, exact: bool = True) -> str:
    """Return the example with the controller at `url`, polled every second; without its tolerance if not `exact`."""
    documents = list(yaml.safe_load_all(MANIFEST.read_text().replace(SERVICE, url)))
    assert url in json.dumps(documents)
    documents[-1]["spec"]["pollingInterval"] = 1
    if not exact:
        for rules in documents[-1]["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"].values():
            del rules["tolerance"]
    return yaml.safe_dump_all(documents)


async def read(plane: ControlPlane, what: str) -> dict[str, Any]:
    """Return an object of the namespace."""
    text = await asyncio.to_thread(plane.kubectl, "get", what, "-n", NAMESPACE, "-o", "json")
    return dict(json.loads(text))


def comparable(autoscaler: dict[str, Any]) -> tuple[Any, ...]:
    """Return what two HorizontalPodAutoscalers have to have in common to set the same replicas."""
    spec = autoscaler["spec"]
    targets = [metric["external"]["target"] for metric in spec["metrics"]]
    return spec["minReplicas"], spec["maxReplicas"], spec["scaleTargetRef"], targets, spec["behavior"]


async def wait_for(plane: ControlPlane, path: str, value: object, what: str = "deployment/delays") -> None:
    """Wait until the JSONPath `path` of an object has a value."""
    limit = f"--timeout={patient(60):.0f}s"
    condition = f"--for=jsonpath={{{path}}}={value}"
    await asyncio.to_thread(plane.kubectl, "wait", what, "-n", NAMESPACE, condition, limit)


async def test_the_replicas_follow_the_number_and_hold_without_one(plane: ControlPlane) -> None:
    kubeconfig = await asyncio.to_thread(plane.account, "default", "control", REVIEWS, cluster=True)
    kube = await Kube.connect(kubeconfig)
    backend, place = SmallBackend(), (NAMESPACE, "delays")
    certificates = CertificateFiles(TlsFiles(*ONE))
    server = ControlServer(backend, reviewer(kube), ServerOptions(listen="127.0.0.1:0", certificates=certificates))
    backend.scales[place] = ScaleAnswer(desired=5, reason="scaling")
    await server.start()
    try:
        url = f"https://127.0.0.1:{server.port}"
        await asyncio.to_thread(plane.kubectl, "apply", "-f", "-", stdin=manifest(url))
        for desired in (5, 12, 13, 12, 3):  # 12 to 13 is within the usual tolerance of an HPA
            backend.scales[place] = ScaleAnswer(desired=desired, reason="scaling")
            await wait_for(plane, ".spec.replicas", desired)
            await wait_for(plane, ".status.replicas", desired)
            await wait_for(plane, ".status.desiredReplicas", desired, f"hpa/{HPA}")
        assert comparable(await read(plane, f"hpa/{HPA}")) == comparable(yaml.safe_load(HPA_MANIFEST.read_text()))
        backend.scales[place] = LOST
        fallback = '.status.conditions[?(@.type=="Fallback")].status'
        await wait_for(plane, fallback, "True", "scaledobject/delays")
        await wait_for(plane, ".status.currentMetrics[0].external.current.averageValue", 1, f"hpa/{HPA}")
        await wait_for(plane, ".spec.replicas", 3)
        backend.scales[place] = ScaleAnswer(desired=4, reason="scaling")
        await wait_for(plane, ".spec.replicas", 4)
        await wait_for(plane, fallback, "False", "scaledobject/delays")
        await asyncio.to_thread(plane.kubectl, "apply", "-f", "-", stdin=manifest(url, exact=False))
        backend.scales[place] = ScaleAnswer(desired=12, reason="scaling")
        await wait_for(plane, ".status.replicas", 12)
        backend.scales[place] = ScaleAnswer(desired=13, reason="scaling")
        await wait_for(plane, ".status.currentMetrics[0].external.current.averageValue", "1084m", f"hpa/{HPA}")
        assert (await read(plane, "deployment/delays"))["spec"]["replicas"] == 12
    finally:
        await server.stop()
        await kube.close()
    await wait_for(plane, fallback, "True", "scaledobject/delays")
    await wait_for(plane, ".spec.replicas", 12)
