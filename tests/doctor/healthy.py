"""A cluster in which nothing is wrong, as the API server would list it."""

from __future__ import annotations

import base64
import copy
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import yaml

from pilotfish.sidecar.certificates.issuing import create_authority
from pilotfish.sidecar.certificates.secret import bundle
from pilotfish.sidecar.doctor.app import wanted_rights
from pilotfish.sidecar.doctor.checks.cluster import POLICY
from pilotfish.sidecar.doctor.snapshot import ClusterSnapshot, Right, Trial
from pilotfish.sidecar.inject.context import ClusterService, Context, ServicePort
from pilotfish.sidecar.inject.injection import inject
from pilotfish.sidecar.inject.names import INJECTION
from pilotfish.sidecar.inject.offline.images import package_text
from pilotfish.sidecar.inject.patching import apply
from pilotfish.sidecar.inject.template import parse_template
from pilotfish.sidecar.settings.crd import crd_text

NOW = datetime(2026, 11, 29, 8, 0, tzinfo=UTC)
RELEASE = "pilotfish-system"
VERSION = "0.1.0"
INJECTOR, CONTROL = "pilotfish-injector", "pilotfish-control"

Object = dict[str, Any]


@cache
def authority(name: str = "own") -> str:
    """Return the certificate of an authority, PEM; `name` chooses one of several."""
    return bundle([create_authority(NOW.timestamp())]).decode()


def service(target: int | str = "http") -> Object:
    """Return the Service of the model."""
    spec = {"selector": {"app": "loans"}, "ports": [{"port": 80, "targetPort": target, "protocol": "TCP"}]}
    return {"metadata": {"name": "loans", "namespace": "models"}, "spec": spec}


@cache
def _rights() -> Sequence[Right]:
    return wanted_rights(RELEASE)


def plain_pod(name: str = "loans-1") -> Object:
    """Return a pod of the Deployment `loans`, without sidecars."""
    owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "loans-5d", "controller": True}
    container = {"name": "model", "image": "loans:1", "ports": [{"name": "http", "containerPort": 8000}]}
    metadata = {"name": name, "namespace": "models", "labels": {"app": "loans"}, "ownerReferences": [owner]}
    return {"metadata": metadata, "spec": {"containers": [container]}, "status": {"phase": "Running"}}


def injected(pod: Object, labels: dict[str, str] | None = None) -> Object:
    """Return a pod as the injector admits it."""
    services = [ClusterService("loans", {"app": "loans"}, (ServicePort("", 80, "http"),))]
    context = Context("models", labels={"pilotfish.dev/inject": "all", **(labels or {})}, services=services)
    template = parse_template(yaml.safe_load(package_text("sidecar.yaml")))
    found: Object = apply(pod, inject(pod, context, template).patch)
    return found


def named(name: str, namespace: str = "", labels: dict[str, str] | None = None, **rest: Any) -> Object:
    """Return an object."""
    metadata: Object = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": labels or {}}
    return {"metadata": metadata, **rest}


def objects() -> dict[str, list[Object]]:
    """Return the objects of the cluster by the kinds of `gather.KINDS`."""
    return copy.deepcopy(_objects())


@cache
def _objects() -> dict[str, list[Object]]:
    encoded = base64.b64encode(authority().encode()).decode()
    lease = {"holderIdentity": "control-1", "renewTime": "2026-11-29T07:59:55.000000Z", "leaseDurationSeconds": 15}
    webhooks = [{"name": "pod.pilotfish.dev", "clientConfig": {"caBundle": encoded, "service": {"namespace": RELEASE}}}]
    deployment = {"kind": "Deployment", "name": "loans", "controller": True}
    replica_set = named("loans-5d", "models")
    replica_set["metadata"]["ownerReferences"] = [deployment]
    ready: Any = {"spec": {"replicas": 2}, "status": {"availableReplicas": 2}}
    monitor: Any = {
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "loans"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    return {
        "authorities": [named("pilotfish-ca", space, data={"ca.crt": authority()}) for space in (RELEASE, "models")],
        "configuration": [named(INJECTOR, RELEASE, data={"sidecar.yaml": package_text("sidecar.yaml")})],
        "daemonsets": [
            named("pilotfish-node", RELEASE, status={"desiredNumberScheduled": 2, "numberReady": 2}),
        ],
        "customresourcedefinitions": [yaml.safe_load(crd_text())],
        "deployments": [named("loans", "models")],
        "endpointslices": [
            named("x", RELEASE, {"kubernetes.io/service-name": INJECTOR}, endpoints=[{"conditions": {"ready": True}}])
        ],
        "leases": [named(CONTROL, RELEASE, spec=lease)],
        "modelmonitors": [named("loans", "models", **monitor)],
        "mutatingwebhookconfigurations": [named(INJECTOR, webhooks=webhooks)],
        "namespaces": [named("default"), named("models", labels={"pilotfish.dev/inject": "all"}), named(RELEASE)],
        "nodes": [named("node-1", status={"nodeInfo": {"kubeletVersion": "v1.36.0", "operatingSystem": "linux"}})],
        "pods": [injected(plain_pod("loans-1")), injected(plain_pod("loans-2"))],
        "replicasets": [replica_set],
        "resourcequotas": [],
        "servers": [named(CONTROL, RELEASE, **ready), named(INJECTOR, RELEASE, **ready)],
        "services": [service()],
        "validatingadmissionpolicybindings": [named(POLICY, spec={"policyName": POLICY})],
    }


def healthy(**changes: Any) -> ClusterSnapshot:
    """Return the snapshot of the cluster; `changes` replace the objects of kinds."""
    return ClusterSnapshot(
        now=NOW,
        release=RELEASE,
        version=VERSION,
        server={"gitVersion": "v1.36.0"},
        objects={**objects(), **changes},
        rights=dict.fromkeys(_rights(), True),
        trial=Trial("models", {"metadata": {"annotations": {INJECTION: "{}"}}}),
    )
