"""The use of a container with the request and the limit that were in force, from the pod and metrics.k8s.io."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pilotfish.sidecar.control.manager.resizing_sources import PodMetricsReading
from pilotfish.sidecar.control.manager.resizing_usage import read_usage
from tests.control.situations import NOON

SPEC = {"requests": {"cpu": "500m"}, "limits": {"cpu": "1"}}
METRICS = {
    "items": [
        {
            "metadata": {"name": "delays-1"},
            "timestamp": datetime.fromtimestamp(NOON, UTC).isoformat(),
            "window": "15s",
            "containers": [{"name": "model", "usage": {"cpu": "990m", "memory": "64Mi"}}],
        }
    ]
}


@pytest.mark.parametrize(
    ("in_force", "expected"),
    [
        (None, (0.5, 1.0, True)),
        ({"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}, (1.0, 2.0, False)),
        ({}, (None, None, False)),
    ],
)
def test_use_has_the_request_and_the_limit_that_the_node_enforces(
    in_force: dict[str, Any] | None, expected: tuple[float | None, float | None, bool]
) -> None:
    status: dict[str, Any] = {"name": "model", "state": {"running": {}}}
    if in_force is not None:
        status["resources"] = in_force
    item: dict[str, Any] = {
        "metadata": {"name": "delays-1", "uid": "uid-1"},
        "spec": {"containers": [{"name": "model", "resources": SPEC}]},
        "status": {"containerStatuses": [status]},
    }
    (found,) = read_usage([item], "model", PodMetricsReading(METRICS), {}, NOON).usages
    assert (found.cpu_request, found.cpu_limit, found.throttled) == expected
