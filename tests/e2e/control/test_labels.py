"""Labels through the controller's server to two real pods: each is joined by the pod that made the prediction, once."""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.control.manager.server.backend import MonitorPods
from pilotfish.sidecar.serving.tls import TlsFiles
from pilotfish.sidecar.sync.messages import SyncRequest, SyncResponse
from tests.control.server.made import MONITOR, NAMESPACE, Reviews, SmallBackend, bearer, pod, token
from tests.e2e import upstream
from tests.e2e.stack import Stack
from tests.e2e.test_feedback import profile
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.tls import ONE, trusting
from tests.support.waiting import eventually, patient, wait_until

ROWS = 5
TENSOR = {"name": "a", "datatype": "FP64", "shape": [ROWS], "data": [0.1, -0.2, 0.3, 0.9, -1.1]}
DOCUMENT = {
    "apiVersion": "pilotfish.dev/v1alpha1",
    "kind": "ModelMonitor",
    "metadata": {"name": MONITOR, "generation": 1},
    "spec": {
        "model": {"name": "m", "version": "1"},
        "drift": {"tick": "200ms", "falseAlarms": {"count": 1, "per": "1h"}},
    },
}


class OneProfile(SmallBackend):
    """Gives every pod the document and one profile."""

    async def sync(self, request: SyncRequest) -> SyncResponse:
        found = await super().sync(request)
        (profile_hash,) = self.profiles
        return SyncResponse(
            acknowledged=found.acknowledged,
            generation=1,
            document=b"" if request.generation == 1 else json.dumps(DOCUMENT).encode(),
            profile_hash=profile_hash,
        )


def start_pod(number: int, folder: Path, spawn: Children, model: int, control: int) -> Stack:
    """Start proxy and analyzer of a pod, and return once it measures traffic with the profile of the controller."""
    home = folder / f"pod-{number}"
    home.mkdir()
    secret = home / "pod-token"
    secret.write_text(token(number))
    secret.chmod(0o400)
    stack = Stack(home, spawn, free_port(), free_port(), model)
    spawn.pilotfish(
        "proxy",
        "--shared",
        home / "shared",
        "--listen",
        f"127.0.0.1:{stack.listen}",
        "--upstream",
        f"127.0.0.1:{model}",
    )
    stack.child = spawn.pilotfish(
        "analyze", "--shared", home / "shared", "--state", home / "state", "--admin", f"127.0.0.1:{stack.admin}",
        "--control", f"https://127.0.0.1:{control}", "--control-ca", ONE[0], "--control-token", secret,
        "--monitor", MONITOR, "--pod-namespace", NAMESPACE, "--pod-name", pod(number).name,
        "--pod-uid", pod(number).uid,
    )  # fmt: skip

    def measured() -> bool:
        predict(stack, "")
        return any(item["side"] == "input" and item["rows"] for item in stack.report().get("rows", []))

    wait_until(lambda: stack.report().get("state") == "watching", 60, what="the profile of the controller")
    wait_until(measured, 30, what="a first exchange that counts")
    return stack


def predict(stack: Stack, *names: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", stack.listen, timeout=patient(10))
    for name in names:
        connection.request("POST", "/v2/models/m/infer", json.dumps({"id": name, "inputs": [TENSOR]}))
        assert connection.getresponse().read() == upstream.BODY
    connection.close()


async def send_labels(port: int, *names: str) -> tuple[int, dict[str, Any]]:
    items = [{"id": name, "labels": [0.5] * ROWS} for name in names]
    url = f"https://127.0.0.1:{port}/v1/feedback?namespace={NAMESPACE}&monitor={MONITOR}"
    limit = aiohttp.ClientTimeout(total=patient(40))
    async with (
        aiohttp.ClientSession(timeout=limit) as session,
        session.post(url, json={"feedback": items}, headers=bearer("labeller"), ssl=trusting(ONE[0])) as response,
    ):
        return response.status, json.loads(await response.read())


@pytest.mark.long
@pytest.mark.asyncio
async def test_labels_are_joined_once_by_the_pod_that_predicted(tmp_path: Path, spawn: Children) -> None:
    port_file = tmp_path / "upstream.port"
    spawn(sys.executable, upstream.__file__, port_file)
    await eventually(port_file.exists, what="the model server")
    raw, reviews = profile(), Reviews()
    reviews.rights.add(("system:serviceaccount:etl:labels", "create feedback", NAMESPACE, MONITOR))
    backend = OneProfile(profiles={Profile.from_bytes(raw).hash: raw})
    server = ControlServer(
        backend, reviews, ServerOptions(listen="127.0.0.1:0", certificates=CertificateFiles(TlsFiles(*ONE)))
    )
    await server.start()
    try:
        start = partial(start_pod, folder=tmp_path, spawn=spawn, model=int(port_file.read_text()), control=server.port)
        one, other = await asyncio.gather(asyncio.to_thread(start, 1), asyncio.to_thread(start, 2))
        before = len(backend.signalled)  # an analyzer that gets its first document starts again
        await eventually(
            lambda: len({sent.pod.uid for sent in backend.signalled[before:]}) == 2, 30, what="signals of both"
        )
        await asyncio.to_thread(predict, one, "a", "b", "twice")
        await asyncio.to_thread(predict, other, "c", "d", "twice")
        status, found = await send_labels(server.port, "a", "c", "twice", "nobody")
        assert (status, found["joined"], found["unknown"], found["judged"]) == (200, 3 * ROWS, ROWS, 3 * ROWS)
        status, found = await send_labels(server.port, "a", "c", "twice", "b")
        assert (status, found["duplicate"], found["joined"]) == (200, 3 * ROWS, ROWS)
        counted: Counter[str] = Counter()

        def all_counted() -> bool:
            counted.clear()
            for stack in (one, other):
                counted.update({item["outcome"]: item["labels"] for item in stack.report()["feedback"]["labels"]})
            return counted["joined"] == 4 * ROWS

        await asyncio.to_thread(wait_until, all_counted, 20, "the labels in the reports of both pods")
        assert counted["unknown"] == 0  # a pod that does not know a label does not count it
        backend.monitors[NAMESPACE, MONITOR] = MonitorPods(uids=frozenset({pod(1).uid}), left=True)
        status, found = await send_labels(server.port, "d", "c")
        assert (status, found["lost"], found["duplicate"]) == (200, ROWS, ROWS)
    finally:
        await server.stop()
