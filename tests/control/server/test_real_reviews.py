"""Real tokens of a real API server: projected, bound to a pod, for this audience; and real RBAC."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import msgspec
import pytest

from pilotfish.sidecar.callers.reviews import reviewer
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.control.manager.server.backend import MonitorPods, ScaleAnswer
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.serving.tls import TlsFiles
from pilotfish.sidecar.sync.messages import Pod, encode
from tests.control.server.made import PACKED, SmallBackend, bearer, sync_request
from tests.support.cluster import ControlPlane
from tests.support.tls import ONE, trusting

pytestmark = [pytest.mark.asyncio, pytest.mark.real]

REVIEWS = (
    {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]},
    {"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]},
)
LABELS = ({"apiGroups": ["pilotfish.dev"], "resources": ["modelmonitors/feedback"], "verbs": ["create"]},)
SCALE = (
    {
        "apiGroups": ["pilotfish.dev"],
        "resources": ["modelmonitors/scale"],
        "resourceNames": ["prices"],
        "verbs": ["get"],
    },
)


async def test_pods_and_labellers_are_told_apart_by_a_real_api_server(control_plane: ControlPlane) -> None:
    def prepare() -> tuple[str, Pod]:
        namespace = control_plane.namespace()
        containers = [{"name": "model", "image": "model"}]
        meta = {"name": "prices-1", "namespace": namespace}
        control_plane.apply({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": {"containers": containers}})
        uid = control_plane.kubectl("get", "pod", "prices-1", "-n", namespace, "-o", "jsonpath={.metadata.uid}")
        control_plane.account(namespace, "labeller", LABELS)
        control_plane.account(namespace, "keda", SCALE)
        return namespace, Pod(namespace=namespace, name="prices-1", uid=uid)

    namespace, bound = await asyncio.to_thread(prepare)
    kubeconfig = await asyncio.to_thread(control_plane.account, namespace, "control", REVIEWS, cluster=True)
    kube = await Kube.connect(kubeconfig)
    backend = SmallBackend(
        monitors={(namespace, "prices"): MonitorPods(uids=frozenset({bound.uid}))},
        scales={(namespace, "prices"): ScaleAnswer(desired=5, reason="scaling")},
    )
    server = ControlServer(
        backend, reviewer(kube), ServerOptions(listen="127.0.0.1:0", certificates=CertificateFiles(TlsFiles(*ONE)))
    )
    await server.start()
    own = control_plane.token(namespace, "default", audience="pilotfish", pod="prices-1")
    foreign = control_plane.token(namespace, "default", pod="prices-1")
    unbound = control_plane.token(namespace, "default", audience="pilotfish")
    labeller = control_plane.token(namespace, "labeller", audience="pilotfish")
    keda = control_plane.token(namespace, "keda", audience="pilotfish")
    body = encode(sync_request(pod=bound))
    other = encode(sync_request(pod=msgspec.structs.replace(bound, uid="another")))
    label = f"/v1/feedback?namespace={namespace}&monitor=prices", b'{"id": "a", "label": 1}'
    cases = (
        ("/v1/sync", body, own, PACKED, 200, ""),
        ("/v1/sync", other, own, PACKED, 403, "pod.uid"),
        ("/v1/sync", body, foreign, PACKED, 401, "audience"),
        ("/v1/sync", body, unbound, PACKED, 403, "not bound"),
        ("/v1/sync", body, own[:-6] + "aaaaaa", PACKED, 401, "refused"),
        (*label, labeller, {"Content-Type": "application/json"}, 503, "no pod of this monitor"),
        (*label, unbound, {"Content-Type": "application/json"}, 403, "modelmonitors/feedback"),
    )
    reads = (
        (f"/v1/scale/{namespace}/prices", keda, 200, ""),
        (f"/v1/scale/{namespace}/other", keda, 403, "modelmonitors/scale"),
        (f"/v1/scale/{namespace}/prices", labeller, 403, "modelmonitors/scale"),
    )
    try:
        async with aiohttp.ClientSession() as session:
            for path, token, status, text in reads:
                url = f"https://127.0.0.1:{server.port}{path}"
                async with session.get(url, headers=bearer(token), ssl=trusting(ONE[0])) as response:
                    found = await response.json()
                    assert (response.status, text in found.get("error", "")) == (status, True), found
            for path, sent, token, headers, status, text in cases:
                url = f"https://127.0.0.1:{server.port}{path}"
                given = {**headers, **bearer(token)}
                async with session.post(url, data=sent, headers=given, ssl=trusting(ONE[0])) as response:
                    raw = await response.read()
                    assert response.status == status, raw
                    assert text in (json.loads(raw)["error"] if text else ""), raw
    finally:
        await server.stop()
        await kube.close()
