"""Pods that only sync: they count rows of their own, with the tokens of real pods, and resend until acknowledged."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import requests

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.sidecar.sync.counts import encode_counts
from pilotfish.sidecar.sync.messages import (
    CONTENT_TYPE,
    SYNC_PATH,
    Pod,
    SyncRequest,
    SyncResponse,
    TickReport,
    decode,
    encode,
)
from tests.support.cluster import ControlPlane
from tests.support.waiting import patient

AUDIENCE = "pilotfish"


@cache
def reference() -> Profile:
    """The profile of the model."""
    random = np.random.default_rng(1)
    return build_profile({"x": random.normal(size=5000)}, exchangeable=True, version="7")


@cache
def tick_counts(seed: int, *, drifted: bool) -> bytes:
    """The counts of 60 rows."""
    counting = TickCounts(reference())
    counting.add(Batch({"x": np.random.default_rng(seed).normal(loc=1.5 if drifted else 0.0, size=60)}, 60))
    return encode_counts(counting.take())


@dataclass
class SyncingPod:
    """One pod of one monitor."""

    pod: Pod
    token: str
    monitor: str
    tick: float
    drifts_from: int = 1 << 60
    generation: int = 0
    profile_hash: str = ""
    waiting: dict[int, bytes] = field(default_factory=dict)
    closed: int = -1
    answer: SyncResponse = field(default_factory=SyncResponse)
    answers: int = 0

    def close_ticks(self, now: float) -> None:
        """Count the rows of the ticks that have ended."""
        last = int(now // self.tick) - 1
        for tick in range(last if self.closed < 0 else self.closed + 1, last + 1):
            self.waiting[tick] = tick_counts(tick % 97, drifted=tick >= self.drifts_from)
        self.closed = last

    def request(self) -> SyncRequest:
        """Return what the pod sends now."""
        ticks = self.waiting.items() if self.profile_hash else ()
        return SyncRequest(
            pod=self.pod,
            monitor=self.monitor,
            monitor_uid=self.answer.monitor_uid,
            epoch="1",
            profile_hash=self.profile_hash,
            tick_seconds=self.tick,
            complete_through=self.closed,
            ticks=tuple(TickReport(tick=tick, sequence=1, counts=counts) for tick, counts in sorted(ticks)),
            generation=self.generation,
        )

    def take(self, answer: SyncResponse) -> None:
        """Take what the controller answers."""
        self.answer, self.generation, self.answers = answer, answer.generation, self.answers + 1
        self.profile_hash = answer.profile_hash
        for item in answer.acknowledged:
            self.waiting.pop(item.tick, None)


class SyncingFleet(threading.Thread):
    """Syncs all pods once a tick in a thread, at whichever replica leads."""

    def __init__(self, urls: list[str], certificate: Path) -> None:
        super().__init__(daemon=True)
        self.pods: list[SyncingPod] = []
        self.problems: list[str] = []
        self._urls = urls
        self._session = requests.Session()
        self._session.trust_env = False  # REQUESTS_CA_BUNDLE would replace the next line
        self._session.verify = str(certificate)
        self._ended = threading.Event()

    def add(self, plane: ControlPlane, items: list[dict[str, Any]], monitor: str, tick: float) -> list[SyncingPod]:
        """Let the pods `items` sync for `monitor`."""
        found = []
        for item in items:
            metadata = item["metadata"]
            namespace, name = metadata["namespace"], metadata["name"]
            pod = Pod(namespace=namespace, name=name, uid=metadata["uid"])
            found.append(SyncingPod(pod, token_of(plane, namespace, name), monitor, tick))
        self.pods = [*self.pods, *found]
        return found

    def remove(self, monitor: str) -> None:
        """End the pods of `monitor`."""
        self.pods = [pod for pod in self.pods if pod.monitor != monitor]

    def run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            for pod in self.pods:
                pod.close_ticks(time.time())
                self._sync(pod)
            shortest = min((pod.tick for pod in self.pods), default=1.0)
            self._ended.wait(max(0.05, shortest - (time.monotonic() - began)))

    def stop(self) -> None:
        self._ended.set()
        self.join(patient(10))

    def _sync(self, pod: SyncingPod) -> None:
        for url in list(self._urls):
            try:
                response = self._session.post(
                    url + SYNC_PATH,
                    data=encode(pod.request()),
                    headers={"Content-Type": CONTENT_TYPE, "Authorization": f"Bearer {pod.token}"},
                    timeout=patient(5),
                )
            except requests.RequestException as error:
                self.problems.append(type(error).__name__)
                continue
            if response.status_code == 200:
                pod.take(decode(response.content, SyncResponse))
                self._urls.remove(url)
                self._urls.insert(0, url)
                return
            self.problems.append(f"{response.status_code} {response.text[:200]}")


@cache
def token_of(plane: ControlPlane, namespace: str, pod: str) -> str:
    """A projected token of a pod for the controller."""
    return plane.token(namespace, "default", audience=AUDIENCE, pod=pod)
