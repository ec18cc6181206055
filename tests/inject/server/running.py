"""An injector for a test: its API server, its Secret, its webhook configuration, and reviews sent to it."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp

from pilotfish.sidecar.certificates.authority import Authority, service_names
from pilotfish.sidecar.inject.server.app import InjectorServer
from pilotfish.sidecar.inject.server.options import InjectorOptions
from pilotfish.sidecar.inject.server.publishing import CONFIG_MAP
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.errors import AlreadyExistsError
from pilotfish.sidecar.kube.objects import (
    CONFIG_MAPS,
    EVENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SECRETS,
    SERVICES,
    Resource,
)
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.storage import Kind
from tests.support.waiting import eventually, patient

SYSTEM, SHOP = "pilotfish-system", "shop"
WEBHOOK = "pilotfish-injector"
TEMPLATE = Path(str(files("pilotfish.sidecar.inject").joinpath("data/sidecar.yaml")))
Object = dict[str, Any]


def pod(**metadata: Any) -> Object:
    """Return a pod of a model with a named port."""
    container = {"name": "model", "image": "model", "ports": [{"name": "http", "containerPort": 8080}]}
    base = {"generateName": "prices-", "labels": {"app": "prices"}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": base | metadata, "spec": {"containers": [container]}}


def controlled(kind: str, name: str, api_version: str = "apps/v1") -> list[Object]:
    """Return the references of an object that is controlled by another."""
    return [{"apiVersion": api_version, "kind": kind, "name": name, "uid": f"uid-{name}", "controller": True}]


def service(name: str = "prices", target: int | str = "http", **selector: str) -> Object:
    """Return a Service, by default of the pods of `pod()`."""
    spec = {"selector": selector or {"app": "prices"}, "ports": [{"port": 80, "targetPort": target}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SHOP}, "spec": spec}


def namespace(name: str = SHOP, opted: str = "all") -> Object:
    """Return a namespace that is opted in."""
    labels = {"pilotfish.dev/inject": opted} if opted else {}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def review(item: Object | None = None, **changes: Any) -> Object:
    """Return an AdmissionReview of the creation of a pod in SHOP."""
    request = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": {"group": "", "version": "v1", "resource": "pods"},
        "namespace": SHOP,
        "operation": "CREATE",
        "object": pod() if item is None else item,
        "dryRun": False,
    }
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request | changes}


@dataclass
class Injected:
    """An injector that runs, and its API server."""

    api: ApiServer
    kube: Kube
    server: InjectorServer
    authority: Authority
    stop: asyncio.Event
    sessions: list[aiohttp.ClientSession] = field(default_factory=list)

    async def post(self, body: bytes | Object, path: str = "/inject", bundle: bytes = b"") -> tuple[int, Any]:
        """Send a body and return status and JSON of the response; `bundle` is what the client trusts."""
        trusting = ssl.create_default_context(cadata=(bundle or self.authority.bundle).decode())
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with aiohttp.ClientSession() as session:
            url = f"https://127.0.0.1:{self.server.port}{path}"
            async with session.post(url, data=raw, ssl=trusting) as response:
                return response.status, await response.json(content_type=None)

    async def ask(self, item: Object | None = None, **changes: Any) -> Object:
        """Review a pod and return the response of the AdmissionReview."""
        sent = review(item, **changes)
        status, found = await self.post(sent)
        assert (status, found["response"]["uid"]) == (200, sent["request"]["uid"])
        response: Object = found["response"]
        return response

    async def open(self, path: str) -> tuple[int, str]:
        """Get a path at the address without TLS."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.server.metrics_port}{path}") as response,
        ):
            return response.status, await response.text()

    async def event(self) -> Object:
        """Wait for the only Event, and return it."""
        (found,) = await eventually(self.events, what="an Event")
        return found

    def events(self) -> list[Object]:
        """Return all Events."""
        return self.api.storage.all(_kind(EVENTS))

    def find(self, resource: Resource, name: str, place: str = "") -> Object | None:
        """Return an object, or None."""
        return self.api.storage.objects.get((_kind(resource), place, name))

    def bundle_in(self, place: str) -> str:
        """Return the bundle in the ConfigMap of a namespace; empty without one."""
        found = self.find(CONFIG_MAPS, CONFIG_MAP, place)
        return str(found["data"]["ca.crt"]) if found else ""

    def ca_bundles(self) -> set[str]:
        """Return the different values of caBundle; none without a webhook configuration."""
        webhooks = (self.find(MUTATING_WEBHOOKS, WEBHOOK) or {}).get("webhooks", ())
        return {base64.b64decode(one["clientConfig"].get("caBundle", "")).decode() for one in webhooks}


def _kind(resource: Resource) -> Kind:
    return Kind(resource.group, resource.version, resource.plural)


def patch_of(response: Mapping[str, Any]) -> list[Object]:
    """Return the JSON patch of a response; empty without one."""
    return json.loads(base64.b64decode(response["patch"])) if "patch" in response else []


def webhook_configuration() -> Object:
    """Return the webhook configuration of the chart, without caBundle."""
    client = {"service": {"name": WEBHOOK, "namespace": SYSTEM, "path": "/inject"}}
    names = ("namespace", "pod", "monitor")
    return {
        "apiVersion": MUTATING_WEBHOOKS.api_version,
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": WEBHOOK},
        "webhooks": [{"name": f"{name}.pilotfish.dev", "clientConfig": dict(client)} for name in names],
    }


async def prepare(kube: Kube) -> None:
    """Create what the chart and a user have created."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pilotfish-ca", "namespace": SYSTEM}}
    for resource, item, place in (
        (NAMESPACES, namespace(SYSTEM, ""), ""),
        (NAMESPACES, namespace(), ""),
        (SECRETS, secret, SYSTEM),
        (MUTATING_WEBHOOKS, webhook_configuration(), ""),
        (SERVICES, service(), SHOP),
    ):
        with suppress(AlreadyExistsError):
            await create(kube, resource, item, place)


OPTIONS = InjectorOptions(
    template=TEMPLATE,
    namespace=SYSTEM,
    listen="127.0.0.1:0",
    metrics_listen="127.0.0.1:0",
    drain_seconds=0.0,
    pod="one",
    resize_namespaces=frozenset({SHOP}),
)


@asynccontextmanager
async def injecting(
    api: ApiServer, options: InjectorOptions = OPTIONS, *, ready: bool = True, **changes: Any
) -> AsyncIterator[Injected]:
    """Run an injector inside the block; it is ready, except without `ready`."""
    kube, stop = await api.connect(), asyncio.Event()
    authority = Authority(kube, options.namespace, service_names(WEBHOOK, options.namespace))
    server = InjectorServer(kube, replace(options, **changes), authority)
    running = asyncio.create_task(server.run(stop))
    found = Injected(api, kube, server, authority, stop)
    try:
        if ready:
            await eventually(lambda: running.done() or not server.not_ready(), what="the injector")
            assert not running.done(), running.result()
        yield found
    finally:
        stop.set()
        async with asyncio.timeout(patient(10)):
            await running
        await kube.close()
