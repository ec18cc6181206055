"""Resources: what the pods of a model request, use and lack. Metrics of the kubelet, kube-state-metrics and DCGM."""

from __future__ import annotations

from ..model import FULL, ZERO_IS_GOOD, Page, Panel, Section, Steps, Target
from ..queries import equal, grown, largest, of_model, rate, ratio, series, total
from .devices import DEVICES
from .tokens import TOKENS
from .usage import ATTRIBUTED, IDLE, PROCESSES
from .variables import MODEL, NAMESPACE, POD, VERSION

NO_KUBELET = "no metrics of cAdvisor for these pods"
NO_STATE = "no metrics of kube-state-metrics for these pods"
NO_GPU = "no metrics of dcgm-exporter for these pods"
_CONTAINERS = 'container!=""'
_LEGEND = "{{pod}} {{container}}"
_THROTTLED: Steps = ((None, "green"), (0.05, "yellow"), (0.25, "red"))


def _used_of_limit(used: str, resource: str) -> str:
    """Return the use of each container, divided by its limit of `resource`."""
    limit = series("kube_pod_container_resource_limits", equal("resource", resource))
    by = ("namespace", "pod", "container")
    return of_model(f"({total(used, *by)} / {largest(limit, *by)})")


def _amounts(resource: str, used: str) -> tuple[Target, ...]:
    """Return use, requests and limits of all containers, added up."""
    found = [Target(total(of_model(used)), "used")]
    for kind in ("requests", "limits"):
        selector = series(f"kube_pod_container_resource_{kind}", equal("resource", resource))
        found.append(Target(total(of_model(largest(selector, "namespace", "pod", "container"))), kind))
    return tuple(found)


_CPU = rate("container_cpu_usage_seconds_total", _CONTAINERS)
_MEMORY = series("container_memory_working_set_bytes", _CONTAINERS)

CPU = Section(
    "CPU",
    (
        Panel(
            "lines",
            "CPU: use, requests, limits",
            "Cores that all containers of the selected pods use, request, and may use at most.",
            _amounts("cpu", _CPU),
            unit="cores",
            empty=NO_KUBELET,
        ),
        Panel(
            "lines",
            "CPU of the limit",
            "Used cores of each container, divided by its limit.",
            (Target(f"topk(10, {_used_of_limit(_CPU, 'cpu')})", _LEGEND),),
            unit="percentunit",
            empty="no container has a limit of CPU",
            steps=FULL,
        ),
        Panel(
            "lines",
            "CPU throttling",
            "Share of the scheduler's periods in which a container had used up its limit, and had to wait.",
            (
                Target(
                    "topk(10, "
                    + ratio(
                        total(
                            of_model(rate("container_cpu_cfs_throttled_periods_total", _CONTAINERS)), "pod", "container"
                        ),
                        total(of_model(rate("container_cpu_cfs_periods_total", _CONTAINERS)), "pod", "container"),
                    )
                    + ")",
                    _LEGEND,
                ),
            ),
            unit="percentunit",
            empty="no container has a limit of CPU",
            steps=_THROTTLED,
        ),
    ),
)
MEMORY = Section(
    "Memory",
    (
        Panel(
            "lines",
            "Memory: use, requests, limits",
            "Memory that all containers of the selected pods use (working set), request, and may use at most.",
            _amounts("memory", _MEMORY),
            unit="bytes",
            empty=NO_KUBELET,
        ),
        Panel(
            "lines",
            "Memory of the limit",
            "Working set of each container, divided by its limit; at 1, the kernel ends it.",
            (Target(f"topk(10, {_used_of_limit(_MEMORY, 'memory')})", _LEGEND),),
            unit="percentunit",
            empty="no container has a limit of memory",
            steps=FULL,
        ),
        Panel(
            "lines",
            "Restarts",
            "Restarts of containers in the selected pods.",
            (Target(total(of_model(grown("kube_pod_container_status_restarts_total")), "pod", "container"), _LEGEND),),
            empty=NO_STATE,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
GPU = Section(
    "GPU",
    (
        Panel(
            "lines",
            "GPU utilisation",
            "Share of time in which a kernel ran on the GPU.",
            (
                Target(
                    f"{largest(of_model(series('DCGM_FI_DEV_GPU_UTIL')), 'pod', 'gpu')} / 100", "{{pod}} GPU {{gpu}}"
                ),
            ),
            unit="percentunit",
            empty=NO_GPU,
            high=1,
        ),
        Panel(
            "lines",
            "GPU memory",
            "Used share of the memory of each GPU.",
            (
                Target(
                    ratio(
                        largest(of_model(series("DCGM_FI_DEV_FB_USED")), "pod", "gpu"),
                        f"{largest(of_model(series('DCGM_FI_DEV_FB_USED')), 'pod', 'gpu')}"
                        f" + {largest(of_model(series('DCGM_FI_DEV_FB_FREE')), 'pod', 'gpu')}",
                    ),
                    "{{pod}} GPU {{gpu}}",
                ),
            ),
            unit="percentunit",
            empty=NO_GPU,
            steps=FULL,
            high=1,
        ),
        Panel(
            "lines",
            "Xid errors",
            "Number of the last Xid error of each GPU; 0 means none.",
            (
                Target(
                    largest(of_model(series("DCGM_FI_DEV_XID_ERRORS")), "pod", "gpu"),
                    "{{pod}} GPU {{gpu}}",
                ),
            ),
            unit="none",
            empty=NO_GPU,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
SIDECAR = Section(
    "The sidecar",
    (
        Panel(
            "lines",
            "CPU of the analyzer",
            "Cores that the analyzer uses in each pod.",
            (Target(f"topk(10, {total(of_model(rate('process_cpu_seconds_total')), 'pod')})", "{{pod}}"),),
            unit="cores",
            empty="no sidecar is scraped",
        ),
        Panel(
            "lines",
            "Memory of the analyzer",
            "Memory that counts towards the limit, divided by the limit; the analyzer restarts itself at 85 %.",
            (
                Target(
                    "topk(10, "
                    + ratio(
                        largest(of_model(series("pilotfish_memory_data_bytes")), "pod"),
                        largest(of_model(series("pilotfish_memory_limit_bytes")), "pod"),
                    )
                    + ")",
                    "{{pod}}",
                ),
            ),
            unit="percentunit",
            empty="the analyzer has no memory limit",
            steps=((None, "green"), (0.7, "yellow"), (0.85, "red")),
        ),
        Panel(
            "lines",
            "Captured bodies",
            "Memory of the proxy that captured bodies hold.",
            (Target(f"topk(10, {largest(of_model(series('pilotfish_captured_bytes')), 'pod')})", "{{pod}}"),),
            unit="bytes",
            empty="no proxy is up",
        ),
    ),
)
PAGE = Page(
    "resources",
    "Pilotfish / Resources",
    "What requests use and cost, and CPU, memory and GPU of the pods of a model: requests, limits, throttling.",
    (NAMESPACE, MODEL, VERSION, POD),
    (ATTRIBUTED, TOKENS, IDLE, CPU, MEMORY, GPU, DEVICES, PROCESSES, SIDECAR),
)
