"""The API servers that the tests of scaling run against: one in the process, and a real control plane."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from pilotfish.sidecar.kube.client import Kube
from tests.control.scale.places import DEFINITIONS, Place
from tests.support.apiserver.server import ApiServer
from tests.support.cluster import ControlPlane


@pytest_asyncio.fixture(params=["in-process", pytest.param("real", marks=pytest.mark.real)])
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """A namespace of either API server, with the kinds of Argo, LeaderWorkerSet and KServe."""
    if request.param == "real":
        plane: ControlPlane = request.getfixturevalue("control_plane")
        plane.apply(*DEFINITIONS)
        plane.wait_for_kinds(*(one["metadata"]["name"] for one in DEFINITIONS))
        kube = await Kube.connect(plane.kubeconfig)
        yield Place(kube, plane.namespace(), plane)
        await kube.close()
        return
    async with ApiServer() as api:
        kube = await api.connect()
        yield Place(kube, "default", api=api)
        await kube.close()
