"""An injector with its API server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.inject.server.running import Injected, injecting, prepare
from tests.support.apiserver.server import ApiServer


@pytest_asyncio.fixture
async def api() -> AsyncIterator[ApiServer]:
    """An API server with a release and the namespace of a model."""
    async with ApiServer() as server:
        kube = await server.connect()
        await prepare(kube)
        await kube.close()
        yield server


@pytest_asyncio.fixture
async def injector(api: ApiServer) -> AsyncIterator[Injected]:
    """An injector that is ready."""
    async with injecting(api) as found:
        yield found
