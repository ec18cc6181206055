"""The authority in its Secret: filled once, shared by all processes, repaired when damaged, and renewed in time."""

from __future__ import annotations

import asyncio
import base64
import logging
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from pilotfish.sidecar.certificates.authority import CONFLICTS, Authority, service_names
from pilotfish.sidecar.certificates.errors import CertificateError
from pilotfish.sidecar.certificates.lifetimes import AUTHORITY_LIFE, DAY, PUBLISHED_FIRST, RENEWED_AFTER, SERVING_LIFE
from pilotfish.sidecar.certificates.secret import CERTIFICATES, KEYS
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.delete import delete
from pilotfish.sidecar.kube.errors import KubeError
from pilotfish.sidecar.kube.objects import SECRETS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import get
from tests.certificates.clients import trusts
from tests.support.apiserver.faults import Fault, writes
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import eventually, patient

pytestmark = pytest.mark.asyncio

NAMESPACE, SECRET = "pilotfish-system", "pilotfish-ca"
NAMES = service_names("pilotfish-control", NAMESPACE)
START = 1_800_000_000.0


@dataclass
class Clock:
    """Epoch seconds that the test sets."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class Place:
    """An API server with the empty Secret of the chart, and the processes of a release."""

    api: ApiServer
    kube: Kube
    clock: Clock

    def process(self) -> Authority:
        return Authority(self.kube, NAMESPACE, NAMES, now=self.clock)

    async def data(self) -> dict[str, str]:
        found: dict[str, str] = (await get(self.kube, SECRETS, SECRET, NAMESPACE)).get("data") or {}
        return found

    async def write(self, **data: Any) -> None:
        named = {name.replace("_", "."): value for name, value in data.items()}
        await merge_patch(self.kube, SECRETS, SECRET, {"data": named}, NAMESPACE)


@pytest_asyncio.fixture
async def place() -> AsyncIterator[Place]:
    async with ApiServer() as api:
        kube = await api.connect()
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": NAMESPACE}}
        await create(kube, SECRETS, secret, NAMESPACE)
        yield Place(api, kube, Clock())
        await kube.close()


def accepted(client: Authority, server: Authority, now: float) -> bool:
    assert server.serving is not None
    return trusts(client.bundle, server.serving, now)


async def test_processes_that_start_together_share_one_authority(place: Place) -> None:
    processes = [place.process() for _ in range(4)]
    await asyncio.gather(*(process.refresh() for process in processes))
    assert len({process.bundle for process in processes}) == 1
    assert sum(process.issued["authority"] for process in processes) == 1
    assert all(accepted(one, other, START) for one in processes for other in processes)
    assert base64.b64decode((await place.data())[CERTIFICATES]) == processes[0].bundle


async def test_a_process_that_restarts_finds_the_authority_again(place: Place) -> None:
    first, second = place.process(), place.process()
    await first.refresh()
    before = await place.data()
    await second.refresh()
    assert await place.data() == before
    assert second.issued == {"serving": 1}


async def test_a_rotation_publishes_then_signs_then_retires(place: Place) -> None:
    server = place.process()
    await server.refresh()
    old = server.bundle
    place.clock.now += RENEWED_AFTER * AUTHORITY_LIFE + 1
    await server.refresh()
    published = server.bundle
    assert published.endswith(old)
    assert server.serving is not None
    assert trusts(old, server.serving, place.clock.now)
    place.clock.now += PUBLISHED_FIRST + 1
    await server.refresh()
    assert not trusts(old, server.serving, place.clock.now)
    assert trusts(published, server.serving, place.clock.now)
    place.clock.now += SERVING_LIFE + DAY
    await server.refresh()
    assert server.bundle + old == published


async def test_a_serving_certificate_is_renewed_after_two_thirds_of_its_life(place: Place) -> None:
    server = place.process()
    await server.refresh()
    first, context = server.serving, server.current()
    place.clock.now += SERVING_LIFE * RENEWED_AFTER - 1
    await server.refresh()
    assert server.serving is first
    place.clock.now += 2
    await server.refresh()
    assert server.serving is not first
    assert server.current() is not context
    assert server.expiries()["serving"] == place.clock.now + SERVING_LIFE


async def test_a_failure_of_the_api_server_leaves_the_certificate_in_force(place: Place) -> None:
    server = place.process()
    await server.refresh()
    before = server.serving
    place.clock.now += SERVING_LIFE * RENEWED_AFTER + 1
    fault = place.api.faults.add(Fault(status=500))
    with pytest.raises(KubeError):
        await server.refresh()
    assert server.serving is before
    fault.release()
    await server.refresh()
    assert server.serving is not before


async def test_a_secret_that_was_emptied_gets_a_new_authority_that_signs_at_once(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    server = place.process()
    await server.refresh()
    old = server.bundle
    await place.write(ca_crt=None, ca_key=None)
    await server.refresh()
    assert server.bundle != old
    assert accepted(server, server, START)


GARBAGE = base64.b64encode(b"garbage").decode()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ({"ca_crt": GARBAGE}, "ca.crt contains something that is not PEM"),
        ({"ca_crt": GARBAGE, "ca_key": GARBAGE}, "ca.key contains something that is not PEM"),
        ({"ca_key": GARBAGE}, "a certificate of ca.crt has no key"),
        ({"ca_key": None}, "a certificate of ca.crt has no key"),
        ({"ca_crt": "%%%"}, "ca.crt is not Base64"),
    ],
)
async def test_damage_is_reported_and_a_new_authority_replaces_what_cannot_sign(
    place: Place, damage: dict[str, Any], text: str, caplog: pytest.LogCaptureFixture
) -> None:
    server = place.process()
    await server.refresh()
    await place.write(**damage)
    with caplog.at_level(logging.ERROR):
        await server.refresh()
    assert text in caplog.text
    assert "could sign, so the new one" in caplog.text
    assert "PRIVATE" not in caplog.text
    assert accepted(server, server, START)
    settled = await place.data()
    await place.process().refresh()
    assert await place.data() == settled


async def test_damage_beside_a_usable_authority_is_removed_without_a_new_one(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    server = place.process()
    await server.refresh()
    data, bundle = await place.data(), server.bundle
    damaged = base64.b64decode(data[CERTIFICATES]) + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    await place.write(ca_crt=base64.b64encode(damaged).decode())
    await server.refresh()
    assert server.bundle == bundle
    assert "is repaired" in caplog.text
    assert await place.data() == data


async def test_entries_of_others_in_the_secret_stay(place: Place) -> None:
    await place.write(note=GARBAGE)
    await place.process().refresh()
    assert (await place.data()).keys() == {"note", CERTIFICATES, KEYS}


async def test_a_missing_secret_is_named_with_its_remedy(place: Place) -> None:
    await delete(place.kube, SECRETS, SECRET, NAMESPACE)
    with pytest.raises(CertificateError, match="kubectl create secret generic pilotfish-ca -n pilotfish-system"):
        await place.process().refresh()


async def test_conflicts_without_end_are_an_error(place: Place) -> None:
    fault = place.api.faults.add(Fault(when=writes, status=409, reason="Conflict"))
    with pytest.raises(CertificateError, match="changed by others"):
        await place.process().refresh()
    assert fault.hits == CONFLICTS


async def test_a_process_that_starts_without_an_api_server_waits_for_it(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pilotfish.sidecar.certificates.authority.REPEAT", 0.01)
    place.api.faults.add(Fault(status=403, times=4))
    async with asyncio.timeout(patient(10)):
        server = place.process()
        assert await server.start(asyncio.Event())
    assert caplog.text.count("403") == 1  # not once for each attempt
    assert server.problem == ""


async def test_a_process_that_is_stopped_while_it_waits_ends(place: Place) -> None:
    place.api.faults.add(Fault(status=403))
    stop = asyncio.Event()
    starting = asyncio.create_task(place.process().start(stop))
    async with asyncio.timeout(patient(10)):
        await eventually(lambda: place.api.calls)
        stop.set()
        assert not await starting


async def test_connections_get_the_certificate_in_memory_and_stay_open_when_it_is_renewed(place: Place) -> None:
    place.clock.now = time.time()
    server = place.process()
    await server.refresh()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server.current())
    trusting = ssl.create_default_context(cadata=server.bundle.decode())
    port = listening.sockets[0].getsockname()[1]
    async with asyncio.timeout(patient(10)):
        for name in ("127.0.0.1", "localhost", "pilotfish-control.pilotfish-system.svc"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
            writer.write(b"one\n")
            assert await reader.readline() == b"one\n"
            writer.close()
    listening.close()
