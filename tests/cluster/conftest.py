"""The node with the images of these tests, and a namespace for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.cluster.model import MODEL
from tests.cluster.release import SAID, Release
from tests.conftest import FAILED
from tests.support.node.images import PILOTFISH, REDIRECT, archive
from tests.support.node.node import Node, node

__all__ = ["cluster", "namespace", "node", "release"]


@pytest.fixture(scope="session")
def cluster(node: Node) -> Node:
    """The node, with the images of Pilotfish and of the model."""
    node.load(archive(PILOTFISH), archive(REDIRECT), archive(MODEL))
    return node


@pytest.fixture(scope="session")
def release(cluster: Node) -> Release:
    """The chart, installed on the node."""
    if not SAID.exists():
        pytest.skip("no Helm: `.ci/helm > build/helm` builds it, with Go")
    installed = Release(cluster.plane)
    installed.install()
    return installed


@pytest.fixture
def namespace(request: pytest.FixtureRequest, cluster: Node) -> Iterator[str]:
    """A namespace of this test; its events and pods are shown if the test fails."""
    name = cluster.plane.namespace()
    yield name
    if request.node.stash.get(FAILED, False):
        for what in (("pods", "--output", "wide"), ("events", "--field-selector", "type=Warning")):
            print(cluster.plane.kubectl("get", "--namespace", name, *what), file=sys.stderr)
    cluster.plane.kubectl("delete", "namespace", name, "--wait=false")
