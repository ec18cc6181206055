"""Drift in the traffic of two pods: one alarm, and one request to retrain."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import loans
from tests.cluster.injected import Models
from tests.cluster.load import load
from tests.cluster.model import EXAMPLE, MODEL, NAME
from tests.cluster.release import Release
from tests.support.node.node import Node
from tests.support.waiting import wait_until

pytestmark = pytest.mark.node
TRAINER = """
from http.server import BaseHTTPRequestHandler, HTTPServer

class Trainer(BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(202)
        self.end_headers()

HTTPServer(("", 8080), Trainer).serve_forever()
"""


def trainer() -> list[dict[str, Any]]:
    """Return a receiver of webhooks that prints each event, and its Service."""
    container = {"name": "trainer", "image": MODEL.name, "command": ["python3", "-c", TRAINER]}
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "trainer", "labels": {"app": "trainer", "pilotfish.dev/inject": "false"}},
            "spec": {"containers": [container]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "trainer"},
            "spec": {"selector": {"app": "trainer"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ]


def monitor(namespace: str) -> dict[str, Any]:
    """Return the monitor of the example, for a cluster, with a webhook that requests a retraining."""
    document: dict[str, Any] = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
    spec = document["spec"] | {
        "mode": "act",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": NAME},
        "profiles": [{"version": "1", "configMap": f"{NAME}-pilotfish"}],
        "retrain": {"webhook": {"url": f"http://trainer.{namespace}.svc.cluster.local/hook"}},
    }
    return document | {"spec": spec}


def test_drift_in_two_pods_raises_one_alarm_and_requests_one_retraining(
    cluster: Node, release: Release, namespace: str, tmp_path: Path
) -> None:
    release.install(
        "control.allowWebhookHosts={*.svc.cluster.local}",
        *(f"actNamespaces[0].name={namespace}", f"actNamespaces[0].configMaps={{{NAME}-pilotfish}}"),
    )
    models = Models(cluster, namespace)
    models.opt(into=True)
    deployment = loans.deployment()
    deployment["spec"]["template"]["metadata"]["labels"] |= {"pilotfish.dev/model-version": "1"}
    models.deploy(tmp_path, deployment, "http")
    for item in (*trainer(), monitor(namespace)):
        item["metadata"]["namespace"] = namespace
        cluster.plane.apply(item)

    def status() -> dict[str, Any]:
        found: dict[str, Any] = models.get("modelmonitor", NAME).get("status", {})
        return found

    def events() -> list[dict[str, Any]]:
        return [json.loads(line) for line in models.kubectl("logs", "trainer").splitlines()]

    with load(cluster, namespace, NAME) as usual:
        wait_until(lambda: status().get("pods", {}).get("heard") == 2, timeout=90, what="the counts of both pods")
        usual.more(1500)
    assert events() == []
    assert usual.result.failed == 0
    with load(cluster, namespace, NAME, years=15) as drifted:
        wait_until(events, timeout=120, what="a request to retrain")
        drifted.more(1500)  # what follows belongs to the same episode
    assert [event["subject"] for event in events()] == [f"{NAME}/1"]
    families = [episode["family"] for episode in status()["episodes"]]
    assert families.count("features") == 1
    assert len(families) == len(set(families))  # the predictions follow the features: another family, no second request
    assert drifted.result.failed == 0
