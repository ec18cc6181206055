"""Faults of the cluster and of the installation."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pilotfish.sidecar.doctor.findings import Level
from pilotfish.sidecar.doctor.snapshot import Trial
from tests.doctor.changes import Fault, both, changed, objects, set_bundle
from tests.doctor.healthy import INJECTOR, NOW, RELEASE, authority

FAULTS = [
    Fault(
        lambda one: replace(one, server={"gitVersion": "v1.32.1"}),
        "versions",
        Level.ERROR,
        "API server",
        "v1.32.1 is too old",
        "1.33",
    ),
    Fault(lambda one: replace(one, server={}), "versions", Level.UNKNOWN, "API server", "unreadable", "by hand"),
    Fault(
        changed("nodes", lambda item: item["status"]["nodeInfo"].update(kubeletVersion="v1.28.9")),
        "versions",
        Level.ERROR,
        "node/node-1",
        "v1.28.9",
        "upgrade",
    ),
    Fault(
        objects("customresourcedefinitions"),
        "kinds",
        Level.ERROR,
        "modelmonitors.pilotfish.dev",
        "not installed",
        "schema --crd",
    ),
    Fault(
        changed(
            "customresourcedefinitions",
            lambda item: item["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"][
                "properties"
            ].pop("drift"),
        ),
        "kinds",
        Level.WARNING,
        "modelmonitors.pilotfish.dev",
        "another version than 0.1.0: spec.drift",
        "schema --crd",
    ),
    Fault(
        objects("validatingadmissionpolicybindings"),
        "kinds",
        Level.WARNING,
        "modelmonitor-author",
        "policy on authors is missing",
        "schema --policy",
    ),
    Fault(
        changed("daemonsets", lambda item: item["status"].update(numberReady=1)),
        "servers",
        Level.WARNING,
        "daemonset/pilotfish-node",
        "1 of 2 nodes",
        "describe daemonset",
    ),
    Fault(
        changed("daemonsets", lambda item: item["status"].update(desiredNumberScheduled=0)),
        "servers",
        Level.WARNING,
        "daemonset/pilotfish-node",
        "no node matches",
        "node.nodeSelector",
    ),
    Fault(objects("servers"), "servers", Level.ERROR, "deployment/pilotfish-control", "not installed", "helm install"),
    Fault(
        changed("servers", lambda item: item["status"].update(availableReplicas=1)),
        "servers",
        Level.WARNING,
        f"deployment/{INJECTOR}",
        "1 of 2 replicas",
        "describe",
    ),
    Fault(
        changed("servers", lambda item: item["status"].clear()),
        "servers",
        Level.ERROR,
        f"deployment/{INJECTOR}",
        "0 of 2 replicas",
        "describe",
    ),
    Fault(
        objects("leases"),
        "leader",
        Level.ERROR,
        "lease/pilotfish-control",
        "no replica of the controller leads",
        "logs",
    ),
    Fault(
        lambda one: replace(one, now=NOW + timedelta(minutes=5)),
        "leader",
        Level.ERROR,
        "lease/pilotfish-control",
        "has not renewed",
        "logs",
    ),
    Fault(
        lambda one: replace(one, rights=dict.fromkeys(one.rights, False)),
        "rights",
        Level.ERROR,
        f"serviceaccount/{INJECTOR}",
        "it may not list services",
        "helm upgrade",
    ),
    Fault(
        lambda one: replace(one, rights=dict.fromkeys(one.rights, None)),
        "rights",
        Level.UNKNOWN,
        f"serviceaccount/{INJECTOR}",
        "could not be asked for",
        "subjectaccessreviews",
    ),
    Fault(objects("mutatingwebhookconfigurations"), "webhook", Level.ERROR, INJECTOR, "not registered", "helm install"),
    Fault(set_bundle(""), "webhook", Level.ERROR, INJECTOR, "caBundle is empty", "rollout restart"),
    Fault(set_bundle("x"), "webhook", Level.ERROR, INJECTOR, "cannot read the certificates", "rollout restart"),
    Fault(set_bundle(authority("other")), "webhook", Level.ERROR, INJECTOR, "of another authority", "rollout restart"),
    Fault(objects("endpointslices"), "webhook", Level.ERROR, f"service/{INJECTOR}", "no ready endpoint", "get pods"),
    Fault(
        lambda one: replace(one, trial=Trial("models", {"metadata": {}})),
        "webhook",
        Level.ERROR,
        INJECTOR,
        "did not answer",
        "8443",
    ),
    Fault(
        lambda one: replace(one, trial=Trial("models", problem="exceeded quota")),
        "webhook",
        Level.WARNING,
        INJECTOR,
        "exceeded quota",
        "another namespace",
    ),
    Fault(lambda one: replace(one, trial=None), "webhook", Level.UNKNOWN, INJECTOR, "is unknown", "may create pods"),
    Fault(
        lambda one: replace(one, now=NOW + timedelta(days=360)),
        "certificates",
        Level.WARNING,
        RELEASE,
        "was not replaced",
        "logs",
    ),
    Fault(
        lambda one: replace(one, now=NOW + timedelta(days=400)),
        "certificates",
        Level.ERROR,
        RELEASE,
        "ended on",
        "logs",
    ),
    Fault(
        both(
            set_bundle(authority("other")),
            changed(
                "authorities",
                lambda item: item["data"].update(
                    {"ca.crt": authority("other" if item["metadata"]["namespace"] == RELEASE else "own")}
                ),
            ),
        ),
        "certificates",
        Level.ERROR,
        "models/configmap/pilotfish-ca",
        "another authority",
        "delete configmap",
    ),
    Fault(
        lambda one: replace(one, unreadable={"nodes": "403"}),
        "access",
        Level.UNKNOWN,
        "nodes",
        "cannot be read: 403",
        "may list",
    ),
]
