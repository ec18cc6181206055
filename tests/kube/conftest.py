"""The API servers that the tests of this folder run against: one in the process, and a real control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from pilotfish.sidecar.kube.client import Kube
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane


@dataclass(frozen=True)
class Cluster:
    """What a test needs of either server: a connection as administrator, and a namespace of its own."""

    kube: Kube
    namespace: str
    api: ApiServer | None = None


@pytest_asyncio.fixture
async def api() -> AsyncIterator[ApiServer]:
    """An API server in this process."""
    async with ApiServer() as server:
        yield server


@pytest_asyncio.fixture
async def kube(api: ApiServer) -> AsyncIterator[Kube]:
    """A connection to `api` as administrator."""
    kube = await api.connect()
    yield kube
    await kube.close()


@pytest_asyncio.fixture(params=["in-process", pytest.param("real", marks=pytest.mark.real)])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """Either API server: `make test` uses the one in the process, `make test-real` a real one."""
    if request.param == "real":
        plane: ControlPlane = request.getfixturevalue("control_plane")
        kube, namespace = await Kube.connect(plane.kubeconfig), plane.namespace()
        yield Cluster(kube, namespace)
        await kube.close()
        return
    async with ApiServer() as api:
        kube = await api.connect()
        yield Cluster(kube, "default", api)
        await kube.close()
