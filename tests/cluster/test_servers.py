"""The Python servers of KServe and Seldon move to another port, answer as before, and their rows are counted."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import pytest

from tests.cluster.injected import Models, injection, metric
from tests.cluster.servers import PLATFORMS, SERVERS, Served
from tests.support.node.images import archive
from tests.support.node.node import Node
from tests.support.waiting import patient, wait_until

pytestmark = pytest.mark.node


def predictions(answer: dict[str, Any]) -> list[float]:
    """Return the predictions of a response of either protocol."""
    found: list[float] = answer["predictions"] if "predictions" in answer else answer["outputs"][0]["data"]
    return found


@pytest.mark.parametrize("served", PLATFORMS.values(), ids=PLATFORMS)
@pytest.mark.usefixtures("release")
def test_the_server_of_a_platform_moves_and_is_measured(cluster: Node, namespace: str, served: Served) -> None:
    cluster.load(archive(SERVERS))
    models = Models(cluster, namespace)
    models.opt(into=True)
    cluster.plane.apply(*served.objects(namespace))
    models.rolled_out()
    (pod,) = models.pods()
    assert injection(pod)["mode"] == "move", injection(pod)

    def ask() -> list[float]:
        url = f"http://{models.get('service', 'loans')['spec']['clusterIP']}{served.path}"
        request = urllib.request.Request(url, json.dumps(served.request).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=patient(10)) as response:
            return predictions(json.load(response))

    assert ask() == [3.0, 7.0]
    wait_until(lambda: metric(pod, "pilotfish_rows_total") == 4, timeout=30, what="the rows and their predictions")
