"""Builds the metrics of sidecars and of a controller as text, and polls of them."""

from __future__ import annotations

from collections.abc import Mapping

from pilotfish.sidecar.top.exposition import SidecarMetrics, parse, sidecar_metrics
from pilotfish.sidecar.top.history import Answer, Poll, PollHistory, SourceName

POD = SourceName("shop", "delays-0")
BOUNDS = ("0.01", "0.1", "+Inf")
ROUTE = "POST /predict"


def exposition(
    *,
    requests: float = 0,
    failed: float = 0,
    seconds: Mapping[str, float] | None = None,
    model: str = "delays",
    version: str = "7",
    monitor: str = "",
    up: int = 1,
    started: float = 1000.0,
    route: str = ROUTE,
    evidence: float | None = None,
    blind: str = "",
) -> str:
    """Return what a sidecar exports after `requests`, nine of ten of them within 10 ms, and all within 100 ms.

    `seconds` has the counters of attributed use by name: `cpu`, `gpu`, `cost`.
    """
    names = {"cpu": "pilotfish_cpu_seconds_total", "gpu": "pilotfish_gpu_seconds_total", "cost": "pilotfish_cost_total"}
    buckets = zip(BOUNDS, (0.9 * requests, requests, requests), strict=True)
    lines = [
        f"pilotfish_proxy_up {up}",
        f"pilotfish_proxy_start_time_seconds {started}",
        f'pilotfish_model_info{{model="{model}",version="{version}"}} 1',
        f'pilotfish_requests_total{{route="{route}",code="2xx"}} {requests - failed}',
        f'pilotfish_requests_total{{route="{route}",code="5xx"}} {failed}',
        f'pilotfish_requests_total{{route="probes",code="2xx"}} {7 * requests}',
        'pilotfish_feature_psi{model="delays",feature="age"} 0.1',
        *(
            f'pilotfish_request_duration_seconds_bucket{{route="{route}",le="{bound}"}} {count}'
            for bound, count in buckets
        ),
        *(f'{names[use]}{{model="{model}",route="{route}"}} {value}' for use, value in (seconds or {}).items()),
    ]
    if monitor:
        lines.append(f'pilotfish_sync_info{{monitor="{monitor}"}} 1')
    if evidence is not None:
        lines.append(f'pilotfish_drift_evidence_ratio{{model="{model}",family="inputs"}} {evidence}')
    if blind:
        lines.append(f'pilotfish_blind{{reason="{blind}"}} 1')
    return "\n".join(lines) + "\n"


def metrics(**values: object) -> SidecarMetrics:
    """Return the metrics of `exposition`."""
    return sidecar_metrics(parse(exposition(**values)))  # type: ignore[arg-type]  # the arguments of exposition


def history(*rounds: tuple[float, Mapping[SourceName, SidecarMetrics | None]]) -> PollHistory:
    """Return a history of rounds: the time, and what each sidecar answered, None for one that is silent."""
    found = PollHistory()
    for at, answers in rounds:
        polled = {name: Answer(one, "" if one else "connection refused") for name, one in answers.items()}
        found = found.after(Poll(at, polled))
    return found
