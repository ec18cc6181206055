"""Templates and intents of retrainings, and the custom resources of Argo and Tekton, for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pilotfish.sidecar.control.intent import Intent
from pilotfish.sidecar.control.retrain.objects import Owner
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from tests.control.situations import SUBJECT, episode, situation

UID = "7a1c1b0e-8f0e-4a52-9f5e-0d8c2f6a9c01"
MEMBER = replace(SUBJECT, monitor="delays", namespace="flights", uid=UID)
OWNER = Owner("flights", "delays", UID)


def intent_for(owner: Owner = OWNER, id_: str = "e1", **fields: Any) -> Intent:
    """Return the intent for an episode of the monitor `owner`."""
    subject = replace(SUBJECT, monitor=owner.name, namespace=owner.namespace, uid=owner.uid)
    return wanted_intents(situation(episode(id_, **fields), subject=subject))[0]


def cron_job(namespace: str, name: str = "train-delays") -> dict[str, Any]:
    """Return a suspended CronJob whose template has labels, annotations and variables of its own."""
    container = {
        "name": "train",
        "image": "trainer:1",
        "env": [{"name": "PILOTFISH_MODEL", "value": "old"}, {"name": "DATA", "value": "s3"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "schedule": "0 0 1 1 *",
            "suspend": True,
            "jobTemplate": {
                "metadata": {"labels": {"team": "ml"}, "annotations": {"owner": "anna"}},
                "spec": {
                    "backoffLimit": 2,
                    "template": {
                        "metadata": {"labels": {"app": "train"}},
                        "spec": {
                            "restartPolicy": "Never",
                            "initContainers": [{"name": "fetch", "image": "fetch:1"}],
                            "containers": [container],
                        },
                    },
                },
            },
        },
    }


def template(kind: str, namespace: str, name: str = "train-delays") -> dict[str, Any]:
    """Return a WorkflowTemplate or Pipeline without steps."""
    version = "argoproj.io/v1alpha1" if kind == "WorkflowTemplate" else "tekton.dev/v1"
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": {}}


def definition(group: str, version: str, kind: str) -> dict[str, Any]:
    """Return a minimal CustomResourceDefinition that keeps every field, with the subresource `status`."""
    plural = f"{kind.lower()}s"
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": schema},
                }
            ],
        },
    }


DEFINITIONS = (
    definition("argoproj.io", "v1alpha1", "Workflow"),
    definition("argoproj.io", "v1alpha1", "WorkflowTemplate"),
    definition("tekton.dev", "v1", "Pipeline"),
    definition("tekton.dev", "v1", "PipelineRun"),
)
