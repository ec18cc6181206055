"""The node with the images of these tests, and a namespace for each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.cluster.injected import Models
from tests.cluster.model import MODEL, NAME, install
from tests.cluster.release import SAID, Release
from tests.cluster.resized import SHARED, WHOLE, Begin, Manifest, Resized, end, start
from tests.conftest import FAILED
from tests.support.metrics_server import start_metrics_server
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


@pytest.fixture(scope="module")
def models(cluster: Node, release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """A namespace in which the controller may resize pods, and a pool of CPU."""
    start_metrics_server(cluster)
    found = Models(cluster, cluster.plane.namespace())
    release.install(
        f"actNamespaces[0].name={found.namespace}",
        "actNamespaces[0].resize=true",
        *("actNamespaces[0].pools[0].name=shared", f"actNamespaces[0].pools[0].cpu={SHARED}m"),
    )
    found.opt(into=True)
    install(cluster, found.namespace, tmp_path_factory.mktemp("model"))
    yield found
    cluster.plane.kubectl("delete", "namespace", found.namespace, "--wait=false")


@pytest.fixture
def begin(request: pytest.FixtureRequest, models: Models) -> Iterator[Begin]:
    """Create models with their Services and monitors; they are deleted after the test."""

    def create(*items: Manifest, name: str = NAME, text: str = WHOLE, wait: bool = True) -> Resized:
        return start(models, *items, name=name, text=text, wait=wait)

    yield create
    if request.node.stash.get(FAILED, False):
        for what in (("pods", "-o", "wide"), ("modelmonitors", "-o", "yaml"), ("events",)):
            print(models.kubectl("get", *what))
    end(models)
