"""The pods of a real Deployment that send signals only: a thread makes new pods ready, and shares a load among them."""

from __future__ import annotations

import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests

from pilotfish.sidecar.sync.messages import CONTENT_TYPE, SIGNALS_PATH, Pod, Signals, encode
from tests.e2e.control.syncing import token_of
from tests.support.cluster import ControlPlane
from tests.support.waiting import patient

EVERY = 1.0  # seconds between two signals of a pod; a sidecar sends them each 5 s


class SignallingFleet(threading.Thread):
    """The pods of the Deployment `app`; `load` is the number of requests in flight in all of them."""

    def __init__(self, plane: ControlPlane, namespace: str, app: str, urls: list[str], certificate: Path) -> None:
        super().__init__(daemon=True)
        self.load = 0.0
        self.problems: list[str] = []
        self._plane = plane
        self._place = namespace, app
        self._urls = urls
        self._session = requests.Session()
        self._session.trust_env = False  # REQUESTS_CA_BUNDLE would replace the next line
        self._session.verify = str(certificate)
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.wait(EVERY):
            try:
                pods = self._ready_pods()
            except (AssertionError, OSError) as error:  # the API server is stopped
                self.problems.append(str(error)[:200])
                continue
            for pod in pods:
                self._send(pod, self.load / len(pods))

    def stop(self) -> None:
        self._ended.set()
        self.join(patient(30))

    def _ready_pods(self) -> list[dict[str, Any]]:
        namespace, app = self._place
        text = self._plane.kubectl("get", "pods", "-n", namespace, "-l", f"app={app}", "-o", "json")
        pods = [pod for pod in json.loads(text)["items"] if "deletionTimestamp" not in pod["metadata"]]
        for pod in pods:
            if pod["status"].get("phase") != "Running":
                self._make_ready(pod)
        return pods

    def _make_ready(self, pod: dict[str, Any]) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status = {"status": {"phase": "Running", "startTime": now, "conditions": [ready]}}
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        patch = ("patch", "pod", name, "-n", namespace, "--subresource=status", "--type=merge", "-p")
        self._plane.kubectl(*patch, json.dumps(status))

    def _send(self, pod: dict[str, Any], concurrency: float) -> None:
        metadata = pod["metadata"]
        own = Pod(namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"])
        signals = Signals(
            pod=own, monitor="", at=time.time(), in_flight=round(concurrency), concurrency=concurrency,
            requests_per_second=10.0 * concurrency, latency_p95=0.1,
        )  # fmt: skip
        headers = {"Content-Type": CONTENT_TYPE}
        headers["Authorization"] = f"Bearer {token_of(self._plane, own.namespace, own.name)}"
        for url in list(self._urls):
            try:
                response = self._session.post(
                    url + SIGNALS_PATH, data=encode(signals), headers=headers, timeout=patient(5)
                )
            except requests.RequestException as error:
                self.problems.append(type(error).__name__)
                continue
            if response.status_code == 200:
                self._urls.remove(url)
                self._urls.insert(0, url)
                return
            self.problems.append(f"{response.status_code} {response.text[:200]}")
