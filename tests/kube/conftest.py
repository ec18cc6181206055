"""The API servers that the tests of this folder run against: one in the process, and a real control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from pilotfish.sidecar.kube.client import Kube
from tests.support.apiserver.server import ApiServer


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
