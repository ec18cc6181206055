"""The recording rules of resources: what requests of a route use of CPU, GPU, energy, and what that costs.

They join the in-flight time of the sidecars with the series of cAdvisor and dcgm-exporter. Needs no privilege of
Pilotfish. docs/resources-rules.md describes method, labels and limits.

    pod, device: what was measured --> share of each route by in-flight time --> model, version, route

Attributed and idle add up to what was measured, for each pod and each device: a window without a request in flight is
idle, and any other is shared out as a whole. A device that a pod without a sidecar uses, too, is not shared out.
"""

from __future__ import annotations

from .recorded import POD_MODEL, REQUESTS
from .rule import Group, Recording

WINDOW = "5m"
_MODEL, _ROUTE = "namespace, model, version", "namespace, model, version, route"
_POD, _DEVICE = "namespace, pod", "UUID, GPU_I_ID"

IN_FLIGHT, SHARE = "pod_route:pilotfish_in_flight:rate5m", "pod_route:pilotfish_in_flight:share5m"
CPU_MEASURED, MEMORY = "pod:pilotfish_cpu:rate5m", "pod:pilotfish_memory_bytes:sum"
ON_DEVICE, GPU_MEASURED = "pod_gpu:pilotfish_device:info", "gpu:pilotfish_busy:avg5m"  # also of pods without sidecar
POWER, POWER_IDLE = "gpu:pilotfish_power_watts:rate5m", "gpu:pilotfish_idle_power_watts:rate5m"
POD_GPU, POD_POWER = "pod_gpu:pilotfish_gpu:rate5m", "pod_gpu:pilotfish_power_watts:rate5m"
CPU, GPU = "model_route:pilotfish_cpu:rate5m", "model_route:pilotfish_gpu:rate5m"
ENERGY, COST = "model_route:pilotfish_gpu_power_watts:rate5m", "model_route:pilotfish_cost:rate5m"
CPU_IDLE, GPU_IDLE = "pod:pilotfish_cpu_idle:rate5m", "gpu:pilotfish_idle:avg5m"
CPU_PER_REQUEST, GPU_PER_REQUEST = "model:pilotfish_cpu_per_request:ratio5m", "model:pilotfish_gpu_per_request:ratio5m"
COST_PER_REQUEST = "model:pilotfish_cost_per_request:ratio5m"
THROTTLED = "model:pilotfish_cpu_throttled:ratio5m"

# The pod sandbox and the whole pod have an empty name; two jobs that scrape the same kubelet give equal series.
_CONTAINER = 'container!="", container!~"POD|pilotfish-.*"'


def _containers(metric: str, read: str) -> str:
    """Return `metric` of the model's containers by pod; `read` has a place for the selector."""
    return f"sum by ({_POD}) (max by ({_POD}, container, cpu) ({read.format(f'{metric}{{{_CONTAINER}}}')}))"


def _device(metric: str, read: str = "{}") -> str:
    """Return a series of dcgm-exporter by device and pod of the workload.

    With `honor_labels: false`, Prometheus keeps the labels of the workload as `exported_*`, and `pod` is the exporter.
    """
    own = read.format(f'{metric}{{exported_pod="", pod!=""}}')
    kept = read.format(f'{metric}{{exported_pod!=""}}')
    moved = f'label_replace({kept}, "pod", "$1", "exported_pod", "(.*)")'
    moved = f'label_replace({moved}, "namespace", "$1", "exported_namespace", "(.*)")'
    return f"max by ({_DEVICE}, {_POD}) ({own} or {moved})"


def _with_model(vector: str, by: str) -> str:
    return f"sum by ({by}) ({vector} * on ({_POD}) group_left (model, version) {POD_MODEL})"


_ENGINE = _device("DCGM_FI_PROF_GR_ENGINE_ACTIVE", f"avg_over_time({{}}[{WINDOW}])")
_UTIL = f"{_device('DCGM_FI_DEV_GPU_UTIL', f'avg_over_time({{}}[{WINDOW}])')} / 100"
_JOULES = f"{_device('DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION', f'rate({{}}[{WINDOW}])')} / 1000"  # of millijoules
_WATTS = _device("DCGM_FI_DEV_POWER_USAGE", f"avg_over_time({{}}[{WINDOW}])")


def _shared_out(measured: str, unit: str) -> str:
    """Return the share of each pod in what was measured by `unit`; nothing where a pod without a sidecar uses it."""
    foreign = f"count by ({unit}) ({ON_DEVICE} unless on ({_POD}) {POD_MODEL})"
    share = f"{ON_DEVICE} * on ({_POD}) group_left () (sum by ({_POD}) ({IN_FLIGHT}) > 0) unless on ({unit}) {foreign}"
    whole = f"sum by ({unit}) ({share})"
    return (
        f"sum by ({_POD}, {unit}) ({share}) / on ({unit}) group_left () {whole} * on ({unit}) group_left () {measured}"
    )


def _of_route(amount: str) -> str:
    """Return an amount of a pod by route, in proportion to the in-flight time."""
    return f"{SHARE} * on ({_POD}) group_left () {amount}"


def _priced(resource: str, amount: str) -> str:
    """Return the cost of a second by pod and route: prices are those of an hour, in the pod's document."""
    price = f'(max by ({_POD}) (pilotfish_price{{resource="{resource}"}}) / 3600)'
    return f'label_replace({amount} * on ({_POD}) group_left () {price}, "resource", "{resource}", "", "")'


_COSTS = {
    "cpu": _of_route(CPU_MEASURED),
    "energy": f"{_of_route(f'sum by ({_POD}) ({POD_POWER})')} / 1000",
    "gpu": _of_route(f"sum by ({_POD}) ({POD_GPU})"),
    "memory": f"{_of_route(MEMORY)} / 1073741824",
}
_REQUESTED = 'route!="probes"'


def _periods(metric: str) -> str:
    return _with_model(_containers(metric, f"rate({{}}[{WINDOW}])"), _MODEL)


def _per_request(amount: str) -> str:
    return f"sum by ({_MODEL}) ({amount}{{{_REQUESTED}}}) / ({REQUESTS} > 0)"


USAGE = Group(
    "pilotfish-usage",
    (
        Recording(IN_FLIGHT, f"sum by ({_POD}, route) (rate(pilotfish_in_flight_seconds_total[{WINDOW}]))"),
        Recording(SHARE, f"{IN_FLIGHT} / on ({_POD}) group_left () (sum by ({_POD}) ({IN_FLIGHT}) > 0)"),
        Recording(
            CPU_MEASURED,
            f"{_containers('container_cpu_usage_seconds_total', f'rate({{}}[{WINDOW}])')} and on ({_POD}) {POD_MODEL}",
        ),
        Recording(MEMORY, f"{_containers('container_memory_working_set_bytes', '{}')} and on ({_POD}) {POD_MODEL}"),
        Recording(CPU, _with_model(_of_route(CPU_MEASURED), _ROUTE)),
        Recording(CPU_IDLE, f"{CPU_MEASURED} unless on ({_POD}) {SHARE}"),
        Recording(ON_DEVICE, f"({_ENGINE} or {_UTIL}) * 0 + 1"),
        Recording(GPU_MEASURED, f"max by ({_DEVICE}) ({_ENGINE} or {_UTIL})"),
        Recording(POWER, f"max by (UUID) ({_JOULES} or {_WATTS})"),
        Recording(POD_GPU, _shared_out(GPU_MEASURED, _DEVICE)),
        Recording(POD_POWER, _shared_out(POWER, "UUID")),
        Recording(GPU, _with_model(_of_route(f"sum by ({_POD}) ({POD_GPU})"), _ROUTE)),
        Recording(GPU_IDLE, f"1 - (sum by ({_DEVICE}) ({POD_GPU}) or {GPU_MEASURED} * 0)"),
        Recording(ENERGY, _with_model(_of_route(f"sum by ({_POD}) ({POD_POWER})"), _ROUTE)),
        Recording(POWER_IDLE, f"{POWER} - (sum by (UUID) ({POD_POWER}) or {POWER} * 0)"),
        Recording(
            COST,
            _with_model(
                "(" + " or ".join(_priced(resource, amount) for resource, amount in _COSTS.items()) + ")",
                f"{_ROUTE}, resource",
            ),
        ),
        Recording(CPU_PER_REQUEST, _per_request(CPU)),
        Recording(GPU_PER_REQUEST, _per_request(GPU)),
        Recording(COST_PER_REQUEST, _per_request(COST)),
        Recording(
            THROTTLED,
            f"{_periods('container_cpu_cfs_throttled_periods_total')}"
            f" / ({_periods('container_cpu_cfs_periods_total')} > 0)",
        ),
    ),
)
