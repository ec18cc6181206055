"""A certificate for a process that must not read the authority: signed once, renewed in time, repaired."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pilotfish.sidecar.certificates.authority import Authority, service_names
from pilotfish.sidecar.certificates.issued import CERTIFICATE, KEY, IssuedCertificate, fits
from pilotfish.sidecar.certificates.issuing import ServingCertificate, create_authority, sign_server
from pilotfish.sidecar.certificates.lifetimes import DAY, RENEWED_AFTER, SERVING_LIFE
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.create import create
from pilotfish.sidecar.kube.objects import SECRETS
from pilotfish.sidecar.kube.patch import merge_patch
from pilotfish.sidecar.kube.read import get
from tests.certificates.clients import trusts
from tests.support.apiserver.server import ApiServer
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio

NAMESPACE, SERVICE = "pilotfish-system", "pilotfish-node"
START = 1_800_000_000.0


class Clock:
    """Epoch seconds that the test sets."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest_asyncio.fixture
async def kube() -> AsyncIterator[Kube]:
    async with ApiServer() as api:
        found = await api.connect()
        for name in ("pilotfish-ca", f"{SERVICE}-tls"):
            secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}}
            await create(found, SECRETS, secret, NAMESPACE)
        yield found
        await found.close()


async def replica(kube: Kube, clock: Clock) -> IssuedCertificate:
    """Return what one replica of the controller runs, after the first look of its authority."""
    authority = Authority(kube, NAMESPACE, service_names("pilotfish-control", NAMESPACE), now=clock)
    await authority.refresh()
    return IssuedCertificate(kube, authority, NAMESPACE, SERVICE, now=clock)


async def data(kube: Kube) -> dict[str, str]:
    found: dict[str, str] = (await get(kube, SECRETS, f"{SERVICE}-tls", NAMESPACE)).get("data") or {}
    return found


async def test_two_replicas_keep_one_certificate_until_it_is_due(kube: Kube) -> None:
    clock = Clock()
    replicas = [await replica(kube, clock) for _ in range(2)]
    await asyncio.gather(*(one.refresh() for one in replicas))
    first = await data(kube)
    assert set(first) == {CERTIFICATE, KEY}
    pem, key = (base64.b64decode(first[name]) for name in (CERTIFICATE, KEY))
    bundle = base64.b64decode((await get(kube, SECRETS, "pilotfish-ca", NAMESPACE))["data"]["ca.crt"])
    served = ServingCertificate(pem, key, START, START, "")
    assert trusts(bundle, served, START + 1, [f"{SERVICE}.{NAMESPACE}.svc"])
    clock.now = START + RENEWED_AFTER * SERVING_LIFE - DAY
    for one in replicas:
        await one.refresh()
    assert await data(kube) == first
    clock.now += DAY
    await replicas[0].refresh()
    assert await data(kube) != first


@pytest.mark.parametrize(
    "damage", [{CERTIFICATE: base64.b64encode(b"x").decode()}, {KEY: None}, {CERTIFICATE: "not base64!"}]
)
async def test_a_damaged_certificate_is_replaced(kube: Kube, damage: dict[str, str | None]) -> None:
    one = await replica(kube, Clock())
    await one.refresh()
    await merge_patch(kube, SECRETS, f"{SERVICE}-tls", {"data": damage}, NAMESPACE)
    await one.refresh()
    found = await data(kube)
    assert base64.b64decode(found[CERTIFICATE]).startswith(b"-----BEGIN CERTIFICATE-----")
    assert found[KEY]


async def test_a_certificate_of_another_authority_or_name_does_not_fit() -> None:
    own, other = create_authority(START), create_authority(START)
    names = service_names(SERVICE, NAMESPACE)

    def secret(authority: object, *given: str) -> dict[str, str]:
        made = sign_server(authority, given or names, START)  # type: ignore[arg-type]
        entries = {CERTIFICATE: made.certificate, KEY: made.key}
        return {name: base64.b64encode(value).decode() for name, value in entries.items()}

    assert fits(secret(own), (own,), names[0], START + 1)
    assert not fits(secret(other), (own,), names[0], START + 1)
    assert not fits(secret(own, "pilotfish-control.x.svc"), (own,), names[0], START + 1)


async def test_a_secret_that_is_missing_is_a_problem_until_it_exists(kube: Kube) -> None:
    authority = Authority(kube, NAMESPACE, service_names("pilotfish-control", NAMESPACE))
    await authority.refresh()
    one = IssuedCertificate(kube, authority, NAMESPACE, "pilotfish-absent")
    stop = asyncio.Event()
    running = asyncio.create_task(one.run(stop))
    await eventually(lambda: one.problem)
    stop.set()
    await running
    assert "pilotfish-absent-tls" in one.problem
