"""A rotation of the authority while a real API server sends reviews: no review fails, and every pod is injected."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from pilotfish.sidecar.certificates import authority, issuing, rotation
from pilotfish.sidecar.certificates.authority import Authority, service_names
from pilotfish.sidecar.inject.server import publishing
from pilotfish.sidecar.inject.server.app import InjectorServer
from pilotfish.sidecar.inject.server.publishing import CONFIG_MAP
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.errors import UnavailableError
from pilotfish.sidecar.kube.objects import CONFIG_MAPS, MUTATING_WEBHOOKS, PODS, SECRETS, SERVICES
from pilotfish.sidecar.kube.read import get
from tests.inject.server.running import OPTIONS, WEBHOOK, Object, pod, service
from tests.support.cluster import ControlPlane
from tests.support.waiting import POLL, eventually, patient

pytestmark = [pytest.mark.asyncio, pytest.mark.real, pytest.mark.timeout(240)]

SECOND = patient(1)
LIVES = {"AUTHORITY_LIFE": 36 * SECOND, "PUBLISHED_FIRST": 6 * SECOND, "SERVING_LIFE": 9 * SECOND, "SKEW": 2 * SECOND}


@pytest.fixture(autouse=True)
def short_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (authority, issuing, rotation):
        for name, seconds in LIVES.items():
            monkeypatch.setattr(module, name, seconds, raising=False)
    monkeypatch.setattr(authority, "REFRESH", SECOND / 2)
    monkeypatch.setattr(publishing, "TURN", SECOND / 2)


def configuration(name: str, system: str, port: int) -> Object:
    """Return a webhook configuration for the pods of SHOP, which are refused when the review fails."""
    webhook = {
        "name": "pod.pilotfish.dev",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/inject"},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": system}},
        "failurePolicy": "Fail",
        "sideEffects": "NoneOnDryRun",
        "admissionReviewVersions": ["v1"],
        "timeoutSeconds": 10,
    }
    kind = {"apiVersion": MUTATING_WEBHOOKS.api_version, "kind": "MutatingWebhookConfiguration"}
    return {**kind, "metadata": {"name": name}, "webhooks": [webhook]}


@asynccontextmanager
async def replica(kube: Kube, system: str, webhook: str) -> AsyncIterator[tuple[InjectorServer, Authority]]:
    """Run an injector of the release in `system`."""
    stop = asyncio.Event()
    issuer = Authority(kube, system, service_names(WEBHOOK, system))
    server = InjectorServer(kube, replace(OPTIONS, namespace=system, webhook=webhook), issuer)
    running = asyncio.create_task(server.run(stop))
    try:
        await eventually(lambda: running.done() or not server.not_ready(), 60, "the injector")
        assert not running.done(), running.result()
        yield server, issuer
    finally:
        stop.set()
        await running


async def until_trusted(kube: Kube, shop: str) -> None:
    """Wait until the API server knows caBundle: before, it refuses pods."""
    async with asyncio.timeout(patient(30)):
        while True:
            with suppress(UnavailableError):
                await create(kube, PODS, pod(), shop)
                return
            await asyncio.sleep(POLL)


async def test_no_review_fails_while_the_authority_is_replaced(control_plane: ControlPlane) -> None:
    system, shop = await asyncio.to_thread(control_plane.namespace), await asyncio.to_thread(control_plane.namespace)
    await asyncio.to_thread(control_plane.kubectl, "label", "namespace", shop, "pilotfish.dev/inject=all")
    kube = await Kube.connect(control_plane.kubeconfig)
    name = f"rotation-{system}"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pilotfish-ca", "namespace": system}}
    await create(kube, SECRETS, secret, system)
    own = service()
    own["metadata"]["namespace"] = shop
    await create(kube, SERVICES, own, shop)
    seen, serving, count = set[str](), set[float](), 0
    try:
        async with replica(kube, system, name) as (server, issuer), replica(kube, system, name) as (_, other):
            await create(kube, MUTATING_WEBHOOKS, configuration(name, shop, server.port))
            await until_trusted(kube, shop)
            server.tallies.reviews.clear()
            ends = asyncio.get_running_loop().time() + 48 * SECOND
            while asyncio.get_running_loop().time() < ends:
                created = await create(kube, PODS, pod(), shop)
                assert created["metadata"]["labels"]["pilotfish.dev/injected"] == "true"
                count += 1
                seen.add(issuer.bundle.decode())
                assert issuer.serving is not None
                serving.add(issuer.serving.expires)
                await asyncio.sleep(0.02)
            assert server.tallies.reviews == {"answered": count}
            assert server.tallies.repairs == {}
            assert other.bundle
            published = await get(kube, CONFIG_MAPS, CONFIG_MAP, shop)
            assert published["data"]["ca.crt"] in seen
    finally:
        await delete(kube, MUTATING_WEBHOOKS, name)
        await kube.close()
    print(json.dumps({"reviews": count, "bundles": len(seen), "serving certificates": len(serving)}))
    assert len(seen) >= 3  # one authority, two, and the later one alone
    assert len(serving) >= 4
