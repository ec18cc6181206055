"""Pods, containers and devices as series of sidecars, cAdvisor and dcgm-exporter, for promtool."""

from __future__ import annotations

from dataclasses import dataclass

MINUTES = 20
NAMESPACE = "shop"
HONOURED, EXPORTED = "honoured", "exported"  # whether Prometheus keeps the labels of dcgm-exporter


@dataclass(frozen=True)
class PodCase:
    """A pod. `in_flight` is the mean concurrency by route; a pod without a sidecar has none of its series."""

    name: str
    in_flight: dict[str, float]
    cores: float = 0.0
    memory: float = 0.0
    version: str = "7"
    model: str = "delays"
    requests: float = 1.0
    sidecar: bool = True
    prices: dict[str, float] | None = None


@dataclass(frozen=True)
class DeviceCase:
    """A card, or an instance of one. `busy` is a ratio, `watts` the power of the whole card; None if not exported."""

    uuid: str
    pods: tuple[str, ...]
    busy: float
    watts: float | None = None
    instance: str = ""
    profiling: bool = False
    counter: bool = False


def growing(per_second: float) -> str:
    """Return a counter in promtool's notation."""
    return f"0+{per_second * 60:g}x{MINUTES}"


def steady(value: float) -> str:
    """Return a gauge in promtool's notation."""
    return f"{value:g}x{MINUTES}"


def series_of_pod(pod: PodCase) -> dict[str, str]:
    """Return the series of the sidecar and of cAdvisor, also those of the whole pod and the sandbox."""
    who = f'namespace="{NAMESPACE}",pod="{pod.name}"'
    found = {
        f'container_cpu_usage_seconds_total{{{who},container="model",cpu="total"}}': growing(pod.cores),
        f'container_cpu_usage_seconds_total{{{who},container="",cpu="total"}}': growing(pod.cores + 0.2),
        f'container_cpu_usage_seconds_total{{{who},container="POD",cpu="total"}}': growing(0.05),
        f'container_cpu_usage_seconds_total{{{who},container="pilotfish-analyzer",cpu="total"}}': growing(0.1),
        f'container_cpu_usage_seconds_total{{{who},container="model",cpu="total",job="twice"}}': growing(pod.cores),
        f'container_memory_working_set_bytes{{{who},container="model"}}': steady(pod.memory),
        f'container_cpu_cfs_periods_total{{{who},container="model"}}': growing(10),
        f'container_cpu_cfs_throttled_periods_total{{{who},container="model"}}': growing(1),
    }
    if not pod.sidecar:
        return found
    found[f'pilotfish_model_info{{{who},model="{pod.model}",version="{pod.version}"}}'] = steady(1)
    found[f'pilotfish_requests_total{{{who},route="/a",code="2xx"}}'] = growing(pod.requests)
    for route, amount in pod.in_flight.items():
        found[f'pilotfish_in_flight_seconds_total{{{who},route="{route}"}}'] = growing(amount)
    for resource, price in (pod.prices or {}).items():
        found[f'pilotfish_price{{{who},resource="{resource}"}}'] = steady(price)
    return found


def series_of_device(device: DeviceCase, labels: str) -> dict[str, str]:
    """Return the series of dcgm-exporter: one for each pod that uses the device, each with the whole device's value."""
    found: dict[str, str] = {}
    for pod in device.pods:
        who = f'namespace="{NAMESPACE}",pod="{pod}"'
        if labels == EXPORTED:
            who = (
                f'namespace="gpu-operator",pod="dcgm-exporter-x",exported_namespace="{NAMESPACE}",exported_pod="{pod}"'
            )
        who += f',gpu="0",UUID="{device.uuid}"' + (f',GPU_I_ID="{device.instance}"' if device.instance else "")
        if device.profiling:
            found[f"DCGM_FI_PROF_GR_ENGINE_ACTIVE{{{who}}}"] = steady(device.busy)
        if not device.instance:  # not available for an instance
            found[f"DCGM_FI_DEV_GPU_UTIL{{{who}}}"] = steady(100 * device.busy)
        if device.watts is not None:
            found[f"DCGM_FI_DEV_POWER_USAGE{{{who}}}"] = steady(device.watts)
        if device.counter and device.watts is not None:
            found[f"DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION{{{who}}}"] = growing(1000 * device.watts)
    return found
