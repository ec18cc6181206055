"""What requests use: CPU, GPU, energy and cost by model, version and route, and what the model server itself uses.

Attributed values are those of the sidecars where they measure by themselves (source local or node), else those of the
recording rules (source rules).
"""

from __future__ import annotations

from ..alerts import usage
from ..model import FULL, ZERO_IS_GOOD, Panel, Section, Target
from ..queries import SELECTED, grown, largest, of_model, rate, ratio, series, total

NO_USE = "not measured (docs/resources-rules.md)"
NO_PRICE = "spec.prices is empty, or nothing is measured"
NO_LOCAL = "no sidecar measures the process itself"
_ROUTE = ("namespace", "model", "version", "route")
_WHO = "{{model}} {{version}} {{route}}"
_OF, _CONTAINER = "{{pod}} {{of}}", "{{pod}} {{container}}"
_SOURCE = ("namespace", "pod", "source", "reason")
_ATTRIBUTED = f'{SELECTED}, pod=~"$pod"'
THOUSAND, HOUR = 1000, 3600


def attributed(counter: str, recorded: str, *by: str) -> str:
    """Return use per second by `by`, which has model and version: of the sidecars, else of the recording rules."""
    own = total(rate(counter, scope=_ATTRIBUTED), *by)
    return f"{own} or on (namespace, model, version) {total(series(recorded, scope=SELECTED), *by)}"


def _per_request(counter: str, recorded: str) -> str:
    requests = total(of_model(rate("pilotfish_requests_total", 'route!="probes"')), *_ROUTE[:3])
    own = total(rate(counter, 'route!="probes"', scope=_ATTRIBUTED), *_ROUTE[:3])
    return f"{ratio(own, requests)} or on (namespace, model, version) {series(recorded, scope=SELECTED)}"


def _lines(title: str, description: str, expr: str, legend: str, unit: str, empty: str) -> Panel:
    return Panel("lines", title, description, (Target(expr, legend),), unit=unit, empty=empty)


ATTRIBUTED = Section(
    "What requests use",
    (
        _lines(
            "In flight",
            "Mean number of requests in flight by route; use is shared out in proportion to it.",
            total(of_model(rate("pilotfish_in_flight_seconds_total")), "model", "version", "route"),
            _WHO,
            "short",
            "no proxy is up",
        ),
        _lines(
            "CPU by route",
            "Cores of the model server that requests of each route use.",
            attributed("pilotfish_cpu_seconds_total", usage.CPU, *_ROUTE),
            _WHO,
            "cores",
            NO_USE,
        ),
        _lines(
            "GPU by route",
            "GPUs that requests of each route keep busy: time in which a kernel ran.",
            attributed("pilotfish_gpu_seconds_total", usage.GPU, *_ROUTE),
            _WHO,
            "short",
            NO_USE,
        ),
        _lines(
            "Power by route",
            "Power of the GPUs that is attributed to requests of each route.",
            attributed("pilotfish_energy_joules_total", usage.ENERGY, *_ROUTE),
            _WHO,
            "watt",
            NO_USE,
        ),
        _lines(
            "CPU of a request",
            "CPU seconds of one request, by model and version; compare versions here before a rollout.",
            _per_request("pilotfish_cpu_seconds_total", usage.CPU_PER_REQUEST),
            "{{model}} {{version}}",
            "s",
            NO_USE,
        ),
        _lines(
            "GPU of a request",
            "GPU seconds of one request, by model and version.",
            _per_request("pilotfish_gpu_seconds_total", usage.GPU_PER_REQUEST),
            "{{model}} {{version}}",
            "s",
            NO_USE,
        ),
        _lines(
            "Cost of 1000 requests",
            "Cost of 1000 requests in the currency of spec.prices, by model and version.",
            f"{THOUSAND} * ({_per_request('pilotfish_cost_total', usage.COST_PER_REQUEST)})",
            "{{model}} {{version}}",
            "short",
            NO_PRICE,
        ),
        _lines(
            "Cost of an hour",
            "Cost of an hour at the present rate, by resource, without idle use. In the currency of spec.prices.",
            f"{HOUR} * ({attributed('pilotfish_cost_total', usage.COST, 'namespace', 'model', 'version', 'resource')})",
            "{{model}} {{version}} {{resource}}",
            "short",
            NO_PRICE,
        ),
        Panel(
            "table",
            "Prices and sources",
            "Prices of spec.prices, and whether a sidecar measures the use itself or leaves it to the rules, and why.",
            (
                Target(largest(series("pilotfish_price"), "namespace", "pod", "resource"), title="Price"),
                Target(
                    largest(series("pilotfish_resource_source"), "namespace", "pod", "source", "reason"), title="In use"
                ),
            ),
            empty=NO_PRICE,
        ),
    ),
)
IDLE = Section(
    "Not attributed",
    (
        Panel(
            "lines",
            "Idle CPU",
            "Cores of the model server in times without a request in flight.",
            (
                Target(f"topk(10, {total(of_model(rate('pilotfish_idle_cpu_seconds_total')), 'pod')})", "{{pod}}"),
                Target(f"topk(10, {series(usage.CPU_IDLE)})", "{{pod}} (rules)"),
            ),
            unit="cores",
            empty=NO_USE,
        ),
        Panel(
            "lines",
            "Idle GPUs",
            "GPUs that no request uses. Sharing GPUs between models could save them.",
            (
                Target(f"topk(10, {total(of_model(rate('pilotfish_idle_gpu_seconds_total')), 'pod')})", "{{pod}}"),
                Target(usage.GPU_IDLE, "{{UUID}} {{GPU_I_ID}} (rules)"),
            ),
            empty=NO_USE,
        ),
        Panel(
            "lines",
            "Idle power",
            "Power of the GPUs that no request uses.",
            (
                Target(f"topk(10, {total(of_model(rate('pilotfish_idle_energy_joules_total')), 'pod')})", "{{pod}}"),
                Target(usage.POWER_IDLE, "{{UUID}} (rules)"),
            ),
            unit="watt",
            empty=NO_USE,
        ),
        Panel(
            "lines",
            "Idle cost of an hour",
            "Cost of an hour of what is attributed to no request, by resource.",
            (
                Target(
                    f"{HOUR} * {total(of_model(rate('pilotfish_idle_cost_total')), 'model', 'version', 'resource')}",
                    "{{model}} {{version}} {{resource}}",
                ),
            ),
            empty=NO_PRICE,
        ),
    ),
)
PROCESSES = Section(
    "Model server and Pilotfish, measured in the pod",
    (
        _lines(
            "CPU of the processes",
            "Cores of the model server and of Pilotfish, of the ten pods with most.",
            f"topk(10, {total(of_model(rate('pilotfish_usage_cpu_seconds_total')), 'pod', 'of')})",
            _OF,
            "cores",
            NO_LOCAL,
        ),
        _lines(
            "Throttled",
            "Share of time in which the CPU limit stopped threads, of the ten pods with most.",
            f"topk(10, {total(of_model(rate('pilotfish_usage_throttled_seconds_total')), 'pod', 'of')})",
            _OF,
            "percentunit",
            NO_LOCAL,
        ),
        _lines(
            "Pressure",
            "Share of time in which a task waited for CPU, memory or I/O, of the ten pods with most.",
            f"topk(10, {total(of_model(rate('pilotfish_usage_pressure_seconds_total')), 'pod', 'of', 'resource')})",
            f"{_OF} {{{{resource}}}}",
            "percentunit",
            NO_LOCAL,
        ),
        Panel(
            "lines",
            "Memory of the processes",
            "Working set of the model server and of Pilotfish, of the ten pods with most.",
            (Target(f"topk(10, {largest(of_model(series('pilotfish_usage_memory_bytes')), 'pod', 'of')})", _OF),),
            unit="bytes",
            empty=NO_LOCAL,
        ),
        Panel(
            "lines",
            "Memory of the cgroup limit",
            "Working set divided by the limit of the cgroup; at 1, the kernel ends a process.",
            (
                Target(
                    "topk(10, "
                    + ratio(
                        largest(of_model(series("pilotfish_usage_memory_bytes")), "pod", "of"),
                        largest(of_model(series("pilotfish_usage_memory_limit_bytes")), "pod", "of"),
                    )
                    + ")",
                    _OF,
                ),
            ),
            unit="percentunit",
            empty="no cgroup has a limit of memory",
            steps=FULL,
        ),
        Panel(
            "lines",
            "OOM kills",
            "Processes that the kernel killed for memory, counted by the sidecar and by cAdvisor.",
            (
                Target(total(of_model(grown("pilotfish_usage_oom_kills_total")), "pod", "of"), _OF),
                Target(
                    total(of_model(grown("container_oom_events_total")), "pod", "container"), "{{pod}} {{container}}"
                ),
            ),
            empty="no process was killed",
            steps=ZERO_IS_GOOD,
        ),
        _lines(
            "Network",
            "Bytes per second of the pod's network, by direction, of the ten pods with most.",
            f"topk(10, {total(of_model(rate('pilotfish_usage_network_bytes_total')), 'pod', 'direction')})",
            "{{pod}} {{direction}}",
            "Bps",
            NO_LOCAL,
        ),
    ),
)
