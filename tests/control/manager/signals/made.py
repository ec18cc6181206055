"""What a monitor with given signals asks of a source."""

from __future__ import annotations

import msgspec

from pilotfish.sidecar.control.manager.accepted import accept
from pilotfish.sidecar.control.manager.key import MonitorKey
from pilotfish.sidecar.control.manager.scaling_sources import SignalRequest
from pilotfish.sidecar.control.manager.selectors import from_text

NOW = 1_800_000_000.0  # 2027-01-15T08:00:00Z
KEY = MonitorKey("team", "delays", "5d0b5c1e-0000-4000-8000-000000000001")


def wanted(*signals: dict[str, object], pods: frozenset[str] = frozenset(), now: float = NOW) -> SignalRequest:
    """Return the request of a monitor with these signals."""
    document = {
        "apiVersion": "pilotfish.dev/v1alpha1",
        "kind": "ModelMonitor",
        "metadata": {"name": KEY.name, "namespace": KEY.namespace},
        "spec": {
            "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"},
            "scaling": {"maxReplicas": 9, "signals": [{"type": "concurrency", "target": 8}, *signals]},
        },
    }
    monitor = accept(msgspec.json.encode(document), "a test").monitor
    return SignalRequest(key=KEY, document=monitor, selector=from_text("app=delays"), pods=pods, now=now)
