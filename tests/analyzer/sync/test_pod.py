"""The analyzer of a pod and a small controller over TLS: document, profile, learning, and what a person sees."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.analyzer import app as analyzer
from pilotfish.sidecar.analyzer.app import App, build
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.analyzer.sync import follower, schedule
from pilotfish.sidecar.analyzer.sync.options import SyncOptions
from pilotfish.sidecar.analyzer.visibility import sync as condition
from pilotfish.sidecar.channel.sender import Sender
from pilotfish.sidecar.sync.messages import Pod
from tests.analyzer.made import profile, record
from tests.support.certificates import create_authority, sign_server
from tests.support.ports import free_port
from tests.support.waiting import eventually, patient
from tests.sync.controller import FakeController, Running, controlling

GOOD = profile(version="1")


def document(generation: int = 1, uid: str = "", **spec: Any) -> bytes:
    monitor = {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": "m", "generation": generation, **({"uid": uid} if uid else {})},
        "spec": {"model": {"name": "m", "version": "1"}, **spec},
    }
    return json.dumps(monitor).encode()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for authority, name in (("ca", "server"), ("other", "foreign")):
        create_authority(folder, authority)
        sign_server(folder, name, authority)
    return folder


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(analyzer, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(schedule, "INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(schedule, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(schedule, "BACKOFF_SECONDS", 0.05)


@dataclass
class Followed:
    """An analyzer that follows a controller; it starts again when it asks for it, as under the supervisor."""

    folder: Path
    certificates: Path
    controller: FakeController
    server: Running
    monitor: str = "m"
    admin: int = field(default_factory=free_port)
    app: App | None = None
    starts: int = 0
    sent: int = 0
    sender: Sender | None = None

    @property
    def options(self) -> Options:
        token = self.folder / "token"
        if not token.exists():
            token.write_text("a-pod")
        control = SyncOptions(
            url=self.controller.url,
            ca_file=self.folder / "ca.pem",
            token_file=token,
            monitor=self.monitor,
            pod=Pod(namespace="shop", name="m-0", uid="uid-0"),
        )
        return Options(shared=self.folder / "shared", admin=f"127.0.0.1:{self.admin}", cluster=True, control=control)

    async def serve(self, stop: asyncio.Event) -> None:
        while True:
            self.app, recycled = build(self.options), asyncio.Event()
            self.starts += 1
            serving, stopped = asyncio.create_task(self.app.serve(recycled)), asyncio.create_task(stop.wait())
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
            if stop.is_set():
                recycled.set()
                await serving
                return
            assert await serving == analyzer.RECYCLE_STATUS
            stopped.cancel()

    async def restarted(self) -> None:
        """Wait for the start with the first document: before it, the analyzer may have followed the profile already."""
        await eventually(lambda: self.starts == 2, what="the start with the document")

    @property
    def report(self) -> Any:
        assert self.app is not None
        return self.app.report

    def in_force(self) -> str:
        return self.report.profile.hash if self.report.profile is not None else ""

    async def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        return await asyncio.to_thread(self._get, path, accept)

    def _get(self, path: str, accept: str) -> tuple[int, str]:
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", headers={"Accept": accept})
        try:
            with urllib.request.urlopen(request, timeout=patient(10)) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    async def send(self, exchanges: int, rows: int = 1) -> None:
        if self.sender is None:
            self.sender = Sender(self.folder / "shared" / "records.sock", 7)
            await eventually(lambda: self.sender is not None and self.sender.connect(self.sent + 1), what="a reader")
        for _ in range(exchanges):
            self.sent += 1
            amounts = [self.sent % 97 / 10 + row / 100 for row in range(rows)]
            assert self.sender.offer(record(self.sent, at_ns=time.time_ns(), amounts=amounts))
            await eventually(lambda: self.sender is not None and (self.sender.flush() or not self.sender.pending))


@asynccontextmanager
async def following(folder: Path, certificates: Path, monitor: str = "m", **fields: Any) -> AsyncIterator[Followed]:
    """Yield an analyzer that runs, and the controller with these fields."""
    (folder / "ca.pem").write_bytes((certificates / "ca.pem").read_bytes())
    with controlling(certificates) as (controller, server):
        for name, value in fields.items():
            setattr(controller, name, value)
        made, stop = Followed(folder, certificates, controller, server, monitor), asyncio.Event()
        serving = asyncio.create_task(made.serve(stop))
        await eventually(lambda: made.app is not None or serving.done(), what="the analyzer")
        try:
            yield made
        finally:
            if made.sender is not None:
                made.sender.disconnect()
            stop.set()
            await serving


def profiles(*made: Any) -> dict[str, Any]:
    return {"profiles": {one.hash: one.to_bytes() for one in made}, "profile_hash": made[0].hash}


def problem_has(here: Followed, *words: str) -> Callable[[], bool]:
    return lambda: any(all(word in text for word in words) for text in here.report.warnings)


@pytest.mark.long
@pytest.mark.asyncio
async def test_document_and_profile_come_from_the_controller_and_stay_without_it(
    tmp_path: Path, certificates: Path
) -> None:
    async with following(tmp_path, certificates, document=document(5), generation=5, **profiles(GOOD)) as here:
        await here.restarted()
        await eventually(lambda: here.in_force() == GOOD.hash, what="the profile")
        await eventually(lambda: here.controller.requests[-1].generation == 5, what="the generation")
        await eventually(lambda: here.report.decisions, what="the stored profile")
        assert here.report.model == "m"
        assert here.controller.requests[-1].model_version == "1"
        assert len(here.controller.fetched) == 1
    assert here.controller.requests[-1].leaving
    with controlling(certificates):
        again, stop = Followed(tmp_path, certificates, here.controller, here.server), asyncio.Event()
        serving = asyncio.create_task(again.serve(stop))  # the controller of its options does not run any more
        await eventually(lambda: again.app is not None and again.in_force() == GOOD.hash, what="the stored profile")
        stop.set()
        await serving


@pytest.mark.asyncio
async def test_another_profile_replaces_the_one_in_force(tmp_path: Path, certificates: Path) -> None:
    other = profile(3, version="1")
    async with following(tmp_path, certificates, document=document(), generation=1, **profiles(GOOD, other)) as here:
        await eventually(lambda: here.in_force() == GOOD.hash, what="the first profile")
        here.controller.profile_hash = other.hash
        await eventually(lambda: here.in_force() == other.hash, what="the second profile")
        await eventually(
            lambda: any((entry.by, entry.new) == (follower.BY, other.hash) for entry in here.report.decisions),
            what="the decision in the audit log",
        )


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (profile(4, version="1").to_bytes(), ("has the hash", "controller")),
        (b"{}", ("of the controller",)),
        (GOOD.to_bytes()[:-40], ("of the controller",)),
    ],
)
async def test_a_profile_with_another_hash_is_refused_and_not_fetched_again_at_once(
    tmp_path: Path, certificates: Path, raw: bytes, words: tuple[str, ...]
) -> None:
    given: dict[str, Any] = {"profiles": {GOOD.hash: raw}, "profile_hash": GOOD.hash}
    async with following(tmp_path, certificates, document=document(), generation=1, **given) as here:
        await here.restarted()
        await eventually(problem_has(here, *words), what="the problem")
        fetched = len(here.controller.fetched)
        seen = len(here.controller.requests)
        await eventually(lambda: len(here.controller.requests) > seen + 3, what="more requests")
        assert len(here.controller.fetched) == fetched
        assert here.controller.requests[-1].problem
        assert here.in_force() == ""


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_document_that_cannot_be_used_changes_nothing(tmp_path: Path, certificates: Path) -> None:
    async with following(tmp_path, certificates, document=document(2), generation=2, **profiles(GOOD)) as here:
        await here.restarted()
        await eventually(lambda: here.in_force() == GOOD.hash, what="the profile")
        for number, bad in enumerate((document(9, drift={"tick": "ten"}), b"[]", b"\xff", b'{"metadata": 3}')):
            here.controller.document, here.controller.generation = bad, 90 + number
            await eventually(problem_has(here, "document of the controller"), what="the problem")
            assert here.in_force() == GOOD.hash
        assert here.starts == 2
        here.controller.document, here.controller.generation = document(3, drift={"tick": "2s"}), 3
        await eventually(lambda: here.report.ticks.tick_seconds == 2.0, what="the next document")


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_pod_learns_when_asked_and_offers_its_profile(tmp_path: Path, certificates: Path) -> None:
    asked = document(profiles=[{"version": "1", "learn": {"rows": 1000}}], drift={"tick": "1s"})
    async with following(tmp_path, certificates, document=asked, generation=1) as here:
        await eventually(lambda: here.report.model == "m", what="the document")
        seen = len(here.controller.requests)
        await eventually(lambda: len(here.controller.requests) > seen + 2, what="requests")
        assert here.report.learning is None  # the controller has not asked yet
        here.controller.learn = True
        await eventually(lambda: here.report.learning is not None, what="the learning")
        await here.send(60, rows=20)
        await eventually(lambda: here.controller.profile_hash != "", 60, what="the offered profile")
        assert here.in_force() == here.controller.profile_hash
        assert here.controller.requests[-1].learned in ("", here.in_force())


@pytest.mark.asyncio
async def test_a_profile_of_the_controller_ends_the_learning(tmp_path: Path, certificates: Path) -> None:
    given: dict[str, Any] = {"document": document(), "generation": 1, "learn": True}
    async with following(tmp_path, certificates, **given) as here:
        await eventually(lambda: here.report.learning is not None, what="the learning")
        for name, value in profiles(GOOD).items():
            setattr(here.controller, name, value)
        await eventually(lambda: here.in_force() == GOOD.hash, what="the profile")
        assert here.report.learning is None


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_pod_without_its_controller_is_ready_and_says_so_everywhere(
    tmp_path: Path, certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(condition, "AWAY_SECONDS", 0.3)
    async with following(tmp_path, certificates, document=document(), generation=1, **profiles(GOOD)) as here:
        await eventually(lambda: here.in_force() == GOOD.hash, what="the profile")
        here.server.stop()
        await eventually(
            lambda: here.app is not None and any("cannot reach" in spot.text for spot in here.app.blind_spots),
            what="the blind spot",
        )
        assert here.app is not None
        assert [(spot.reason, spot.total) for spot in here.app.blind_spots if "cannot reach" in spot.text] == [
            ("not_synced", False)
        ]
        ready = json.loads((await here.get("/readyz"))[1])
        assert ready["sync"]["problem"]
        assert "not_synced" in {one["reason"] for one in ready["blind"]}
        report = json.loads((await here.get("/report"))[1])
        assert report["sync"]["control"] == f"127.0.0.1:{here.controller.port}"
        page = (await here.get("/report", "text/html"))[1]
        assert "Sync with the controller" in page
        assert "(not_synced, since " in page
        metrics = (await here.get("/metrics"))[1]
        assert 'pilotfish_blind{reason="not_synced"} 1.0' in metrics
        assert 'pilotfish_sync_requests_total{outcome="failed"}' in metrics
        here.server.start()
        await eventually(
            lambda: here.app is not None and "not_synced" not in {spot.reason for spot in here.app.blind_spots},
            what="the end of the blind spot",
        )


@pytest.mark.long
@pytest.mark.asyncio
async def test_token_and_authority_are_read_again_when_they_rotate(tmp_path: Path, certificates: Path) -> None:
    async with following(tmp_path, certificates, document=document(), generation=1) as here:
        await eventually(lambda: here.controller.requests, what="a request")
        here.controller.token = "the-next-one"
        await eventually(problem_has(here, "status 401", "--control-token"), what="the refusal")
        (tmp_path / "token").write_text("the-next-one")
        seen = len(here.controller.requests)
        await eventually(lambda: len(here.controller.requests) > seen, what="a request with the new token")
        (tmp_path / "ca.new").write_bytes((certificates / "other.pem").read_bytes())
        (tmp_path / "ca.new").replace(tmp_path / "ca.pem")
        await eventually(problem_has(here, "certificate of the controller is not trusted", "--control-ca"))
        (tmp_path / "ca.new").write_text("no certificate")
        (tmp_path / "ca.new").replace(tmp_path / "ca.pem")
        await eventually(problem_has(here, "cannot use --control-ca"))
        (tmp_path / "ca.new").write_bytes((certificates / "ca.pem").read_bytes())
        (tmp_path / "ca.new").replace(tmp_path / "ca.pem")
        seen = len(here.controller.requests)
        await eventually(lambda: len(here.controller.requests) > seen, what="a request with the old authority")
        (tmp_path / "token").unlink()
        await eventually(problem_has(here, "no request can be sent", "token"))


@pytest.mark.long
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", ("status 500", "look at its log")),
        ("503", ("status 503", "no replica of the controller leads")),
        ("garbage", ("cannot read a SyncResponse",)),
        ("redirect", ("status 307",)),
        ("flood", ("sent more than",)),
    ],
)
async def test_a_controller_that_fails_is_named_in_the_report(
    tmp_path: Path, certificates: Path, fault: str, words: tuple[str, ...]
) -> None:
    async with following(tmp_path, certificates, fault=fault) as here:
        await eventually(problem_has(here, *words), 20, what=fault)
        here.controller.fault = ""
        await eventually(lambda: not problem_has(here, *words)(), 20, what="the end of the problem")


@pytest.mark.long
@pytest.mark.asyncio
async def test_a_pod_follows_monitors_that_come_change_and_go_and_mixes_no_counts(
    tmp_path: Path, certificates: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "NO_MONITOR_SECONDS", 0.05)
    caplog.set_level("INFO", "pilotfish.sync")
    async with following(tmp_path, certificates, monitor="") as here:
        await eventually(lambda: len(here.controller.requests) > 2, what="requests")
        sync = json.loads((await here.get("/readyz"))[1])["sync"]
        assert (sync["monitor"], sync["no_monitor"], sync["problem"]) == ("", True, "")
        assert json.loads((await here.get("/report"))[1])["sync"]["no_monitor"]
        assert "No ModelMonitor targets this pod" in (await here.get("/report", "text/html"))[1]
        assert sum("no_monitor" in text for text in caplog.messages) == 1
        assert here.controller.signals == []

        def offer(uid: str) -> None:
            here.controller.monitor, here.controller.monitor_uid, here.controller.generation = "m", uid, 1
            here.controller.document = document(uid=uid, drift={"tick": "1s"})

        for name, value in profiles(GOOD).items():
            setattr(here.controller, name, value)
        offer("aa-1")
        await eventually(lambda: here.in_force() == GOOD.hash, what="the profile")
        here.controller.stores = False
        await here.send(20)
        await eventually(lambda: here.controller.reports, what="counts")
        epochs = {key[2] for key in here.controller.reports}
        assert here.controller.requests[-1].monitor_uid == "aa-1"
        offer("bb-2")
        await eventually(lambda: here.controller.requests[-1].monitor_uid == "bb-2", what="the other monitor")
        seen = len(here.controller.requests)
        await eventually(lambda: here.in_force() == GOOD.hash, what="the profile")
        assert here.sender is not None
        here.sender.disconnect()
        here.sender = None  # the analyzer has started again
        await here.send(20)
        await eventually(lambda: any(one.ticks for one in here.controller.requests[seen:]), what="counts")
        for one in here.controller.requests[seen:]:
            assert one.epoch not in epochs
        assert [one.name for one in (tmp_path / "shared" / "monitors").iterdir()] == ["bb-2"]
        here.controller.monitor = here.controller.monitor_uid = ""
        here.controller.document, here.controller.generation = b"", 0
        await eventually(lambda: not (tmp_path / "shared" / "monitor.json").exists(), what="no document")
        await eventually(lambda: here.report.profile is None and here.controller.requests[-1].monitor_uid == "")
        assert here.report.model == ""
