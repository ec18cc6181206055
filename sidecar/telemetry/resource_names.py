"""The metrics of resources: in-flight time, use, shares of routes and versions, cost. It continues `names.py`.

Label sets are bounded: routes are those of the counter page, models and versions those of routes and document.
"""

from __future__ import annotations

from .metric import Metric

RESOURCES = "Resources"
_SHARE = ("model", "version", "route")

IN_FLIGHT_SECONDS = Metric(
    "pilotfish_in_flight_seconds_total",
    "counter",
    "Exchanges in flight, integrated over time. Its rate is the mean concurrency of the route.",
    RESOURCES,
    ("route",),
    "seconds",
)
SOURCE = Metric(
    "pilotfish_resource_source",
    "gauge",
    "Always 1. Source of the resource figures (local, node, rules, none) and the reason (docs/resources.md).",
    RESOURCES,
    ("source", "reason"),
)
CPU_SECONDS = Metric(
    "pilotfish_cpu_seconds_total",
    "counter",
    "CPU time of the model server that was attributed to a route (docs/cost.md).",
    RESOURCES,
    _SHARE,
    "seconds",
)
GPU_SECONDS = Metric(
    "pilotfish_gpu_seconds_total",
    "counter",
    "Time in which a kernel ran on a GPU, attributed to a route (docs/cost.md).",
    RESOURCES,
    _SHARE,
    "seconds",
)
ENERGY = Metric(
    "pilotfish_energy_joules_total",
    "counter",
    "Energy of the GPUs that was attributed to a route (docs/cost.md).",
    RESOURCES,
    _SHARE,
    "joules",
)
COST = Metric(
    "pilotfish_cost_total",
    "counter",
    "Cost of a route by `spec.prices`, in their currency, by resource: cpu, energy, gpu, memory.",
    RESOURCES,
    (*_SHARE, "resource"),
)
PRICE = Metric(
    "pilotfish_price",
    "gauge",
    "Price by `spec.prices` of a resource: cpu (a core for an hour), energy (kWh), gpu (an hour), memory (a GiB for an "
    "hour). No sample without a price.",
    RESOURCES,
    ("resource",),
)
TOKENS = Metric(
    "pilotfish_tokens_total",
    "counter",
    "Tokens of a language model in the responses that were read, by kind: prompt, completion, and cached, a part of "
    "prompt (docs/tokens.md).",
    RESOURCES,
    (*_SHARE, "kind"),
)
TOKEN_EXCHANGES = Metric(
    "pilotfish_token_exchanges_total",
    "counter",
    "Answered exchanges of a language model whose records were read, by outcome: counted, or why their tokens are not "
    "known (docs/tokens.md).",
    RESOURCES,
    (*_SHARE, "outcome"),
)
COMPLETION_WEIGHT = Metric(
    "pilotfish_completion_token_weight",
    "gauge",
    "Cost of a completion token in prompt tokens: of the document, else estimated. No sample while it is not known.",
    RESOURCES,
    ("model", "version"),
)
IDLE_CPU_SECONDS = Metric(
    "pilotfish_idle_cpu_seconds_total",
    "counter",
    "CPU time of the model server that was attributed to no route. With the routes, it adds up to what was measured.",
    RESOURCES,
    (),
    "seconds",
)
IDLE_GPU_SECONDS = Metric(
    "pilotfish_idle_gpu_seconds_total",
    "counter",
    "Time of the GPUs that was attributed to no route, with a kernel or without. With the routes, it adds up to what "
    "was measured.",
    RESOURCES,
    (),
    "seconds",
)
IDLE_ENERGY = Metric(
    "pilotfish_idle_energy_joules_total",
    "counter",
    "Energy of the GPUs that was attributed to no route.",
    RESOURCES,
    (),
    "joules",
)
IDLE_COST = Metric(
    "pilotfish_idle_cost_total",
    "counter",
    "Cost of what was attributed to no route, by resource.",
    RESOURCES,
    ("resource",),
)
USAGE_CPU = Metric(
    "pilotfish_usage_cpu_seconds_total",
    "counter",
    "CPU time that was measured, of the model server or of Pilotfish.",
    RESOURCES,
    ("of",),
    "seconds",
)
USAGE_THROTTLED = Metric(
    "pilotfish_usage_throttled_seconds_total",
    "counter",
    "Time for which the CPU limit stopped threads, from the cgroup.",
    RESOURCES,
    ("of",),
    "seconds",
)
USAGE_PRESSURE = Metric(
    "pilotfish_usage_pressure_seconds_total",
    "counter",
    "Time in which a task waited for cpu, io or memory (PSI, some), from the cgroup (v2).",
    RESOURCES,
    ("of", "resource"),
    "seconds",
)
USAGE_OOM_KILLS = Metric(
    "pilotfish_usage_oom_kills_total", "counter", "Processes of the cgroup that the kernel killed for memory.",
    RESOURCES, ("of",),
)  # fmt: skip
USAGE_NETWORK = Metric(
    "pilotfish_usage_network_bytes_total",
    "counter",
    "Bytes of all interfaces but loopback in the network namespace of the process. In a pod, all containers share it.",
    RESOURCES,
    ("of", "direction"),
    "bytes",
)
USAGE_MEMORY = Metric(
    "pilotfish_usage_memory_bytes",
    "gauge",
    "Working set: memory of the cgroup without inactive page cache; without a cgroup of its own, resident memory.",
    RESOURCES,
    ("of",),
    "bytes",
)
USAGE_MEMORY_LIMIT = Metric(
    "pilotfish_usage_memory_limit_bytes", "gauge", "Memory limit of the cgroup.", RESOURCES, ("of",), "bytes"
)

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
