"""The pod's own transport and the controller's server, over TLS: labels reach the pod that knows them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from pilotfish.sidecar.analyzer.commands import TakeLabels
from pilotfish.sidecar.analyzer.feedback.frames import SegmentHeader
from pilotfish.sidecar.analyzer.feedback.joiner import LabelJoiner
from pilotfish.sidecar.analyzer.feedback.store import PredictionStore
from pilotfish.sidecar.analyzer.peer import PeerError
from pilotfish.sidecar.analyzer.sync.labels import LabelCourier
from pilotfish.sidecar.analyzer.sync.options import SyncOptions
from pilotfish.sidecar.analyzer.sync.transport import Transport
from pilotfish.sidecar.certificates.files import CertificateFiles
from pilotfish.sidecar.control.manager.server.app import ControlServer, ServerOptions
from pilotfish.sidecar.labels.labels import FeedbackResponse, request_key
from pilotfish.sidecar.serving.tls import TlsFiles
from pilotfish.sidecar.sync.messages import SyncResponse, decode, encode
from tests.control.server.made import (
    MONITOR,
    NAMESPACE,
    Reviews,
    SmallBackend,
    bearer,
    pod,
    signals,
    sync_request,
    token,
)
from tests.support.tls import ONE, trusting
from tests.support.waiting import eventually, patient

pytestmark = pytest.mark.asyncio


class RealPod:
    """A pod with the real transport, courier and joiner, without a proxy."""

    def __init__(self, number: int, port: int, folder: Path, *ids: str) -> None:
        token_file = folder / f"token-{number}"
        token_file.write_text(token(number))
        token_file.chmod(0o400)
        url = f"https://127.0.0.1:{port}"
        options = SyncOptions(url=url, ca_file=ONE[0], token_file=token_file, monitor=MONITOR, pod=pod(number))
        self.number = number
        self.transport = Transport(options)
        self.joiner = LabelJoiner(PredictionStore(3600.0, 1000, SegmentHeader()))
        for name in ids:
            self.joiner.store.keep(request_key(name), 0, 1.0, 1, [])
        self._courier = LabelCourier(options, self.transport, self._submit)

    def _submit(self, command: TakeLabels) -> Future[FeedbackResponse]:
        found: Future[FeedbackResponse] = Future()
        labels = command.labels
        found.set_result(self.joiner.look_up(labels, 2.0) if command.look_up else self.joiner.join(labels, 2.0)[1])
        return found

    async def run(self) -> None:
        counting = asyncio.create_task(self._courier.run())
        try:
            while True:
                self._courier.offer(await self.transport.signals(encode(signals(self.number))))
                await asyncio.sleep(0.05)
        finally:
            counting.cancel()
            await asyncio.gather(counting, return_exceptions=True)
            await self.transport.close()


@asynccontextmanager
async def controller() -> AsyncIterator[tuple[ControlServer, SmallBackend]]:
    backend, reviews = SmallBackend(), Reviews()
    reviews.rights.add(("system:serviceaccount:etl:labels", "create feedback", NAMESPACE, MONITOR))
    server = ControlServer(
        backend, reviews, ServerOptions(listen="127.0.0.1:0", certificates=CertificateFiles(TlsFiles(*ONE)))
    )
    await server.start()
    try:
        yield server, backend
    finally:
        await server.stop()


async def test_labels_are_counted_by_the_pod_that_made_the_prediction(tmp_path: Path) -> None:
    async with controller() as (server, backend):
        pods = [RealPod(1, server.port, tmp_path, "a", "both"), RealPod(2, server.port, tmp_path, "b", "both")]
        running = [asyncio.create_task(one.run()) for one in pods]
        await eventually(lambda: len({one.pod.uid for one in backend.signalled}) == 2, what="the signals of both pods")
        items = [{"id": name, "label": 1} for name in ("a", "b", "both", "other")]
        url = f"https://127.0.0.1:{server.port}/v1/feedback?namespace={NAMESPACE}&monitor={MONITOR}"
        try:
            async with aiohttp.ClientSession() as session:
                for expected in ({"joined": 3, "duplicate": 0}, {"joined": 0, "duplicate": 3}):
                    limit = aiohttp.ClientTimeout(total=patient(25))
                    async with session.post(
                        url, json={"feedback": items}, headers=bearer("labeller"), ssl=trusting(ONE[0]), timeout=limit
                    ) as response:
                        found = json.loads(await response.read())
                        assert response.status == 200
                        assert {name: found[name] for name in expected} == expected
                        assert found["unknown"] == 1
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        assert sum(one.joiner.store.pending for one in pods) == 1  # of both, one pod has no label


async def test_the_pods_transport_syncs_and_reports_a_refusal(tmp_path: Path) -> None:
    async with controller() as (server, _):
        subject = RealPod(1, server.port, tmp_path)
        raw = await subject.transport.sync(encode(sync_request()))
        assert decode(raw, SyncResponse).acknowledged[0].tick == 7
        with pytest.raises(PeerError, match=r"pod\.name") as refused:
            await subject.transport.sync(encode(sync_request(2)))
        assert refused.value.status == 403
        await subject.transport.close()
