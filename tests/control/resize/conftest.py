"""The API servers that the tests of resizing run against: one in the process, and a real control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pilotfish.sidecar.kube.client import Kube
from tests.control.resize.sized import Sized
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane


@pytest_asyncio.fixture(params=["in-process", pytest.param("real", marks=pytest.mark.real)])
async def sized(request: pytest.FixtureRequest) -> AsyncIterator[Sized]:
    """A namespace of either API server, with a node."""
    if request.param == "real":
        plane: ControlPlane = request.getfixturevalue("control_plane")
        kube = await Kube.connect(plane.kubeconfig)
        place = Sized(kube, plane.namespace(), plane)
        await place.start()
        yield place
        await kube.close()
        return
    async with ApiServer() as api:
        kube = await api.connect()
        place = Sized(kube, "default", api=api)
        await place.start()
        yield place
        await kube.close()
