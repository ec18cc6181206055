"""A real control plane that serves the resource."""

from __future__ import annotations

import pytest

from tests.generate import ROOT
from tests.settings.api import Connection
from tests.support.cluster import ControlPlane

CRD = ROOT / "helm/files/modelmonitors.yaml"


@pytest.fixture(scope="module")
def plane(control_plane: ControlPlane) -> ControlPlane:
    """A control plane with the resource."""
    control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", CRD)
    control_plane.wait_for_kinds("modelmonitors.pilotfish.dev")
    return control_plane


@pytest.fixture(scope="module")
def server(plane: ControlPlane) -> Connection:
    """A connection as administrator."""
    return Connection(plane)
