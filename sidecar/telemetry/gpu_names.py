"""The metrics of the GPUs that this sidecar samples itself. It continues the table of `names.py`.

The label `uuid` is that of a GPU or of a MIG instance; a machine has at most 64 GPUs. A value that is not available has
no series, and `pilotfish_gpu_unavailable` has the reason.
"""

from __future__ import annotations

from .metric import Metric

GPU = "GPUs"
_UUID = ("uuid",)

INFO = Metric(
    "pilotfish_gpu_info",
    "gauge",
    "1 for each GPU and each MIG instance, with its name and driver. Parent is the GPU of a MIG instance.",
    GPU,
    ("uuid", "parent", "name", "driver"),
)
UTILIZATION = Metric(
    "pilotfish_gpu_utilization_ratio",
    "gauge",
    "Share of the last second in which at least one kernel ran. This does not measure capacity: a kernel that uses one "
    "processor counts like one that uses all.",
    GPU,
    _UUID,
    "ratio",
)
SM_UTILIZATION = Metric(
    "pilotfish_gpu_sm_utilization_ratio",
    "gauge",
    "Share of the streaming multiprocessors that were busy in the last second; from the Hopper generation on.",
    GPU,
    _UUID,
    "ratio",
)
MEMORY_UTILIZATION = Metric(
    "pilotfish_gpu_memory_utilization_ratio",
    "gauge",
    "Share of the last second in which the memory of the GPU was read or written.",
    GPU,
    _UUID,
    "ratio",
)
MEMORY_TOTAL = Metric("pilotfish_gpu_memory_total_bytes", "gauge", "Memory of the GPU.", GPU, _UUID, "bytes")
MEMORY_USED = Metric(
    "pilotfish_gpu_memory_used_bytes", "gauge", "Memory of the GPU that processes use.", GPU, _UUID, "bytes"
)
MEMORY_FREE = Metric(
    "pilotfish_gpu_memory_free_bytes",
    "gauge",
    "Memory of the GPU that is free. The driver reserves a part that is neither used nor free.",
    GPU,
    _UUID,
    "bytes",
)
POWER = Metric("pilotfish_gpu_power_watts", "gauge", "Power of the whole card.", GPU, _UUID, "watts")
POWER_LIMIT = Metric(
    "pilotfish_gpu_power_limit_watts", "gauge", "Limit of the power of the whole card.", GPU, _UUID, "watts"
)
TEMPERATURE = Metric("pilotfish_gpu_temperature_celsius", "gauge", "Temperature of the GPU.", GPU, _UUID, "celsius")
BUSY = Metric(
    "pilotfish_gpu_busy_seconds_total",
    "counter",
    "Time in which at least one kernel ran, of the time in pilotfish_gpu_measured_seconds_total.",
    GPU,
    _UUID,
    "seconds",
)
MEASURED = Metric(
    "pilotfish_gpu_measured_seconds_total",
    "counter",
    "Time for which the utilization is known.",
    GPU,
    _UUID,
    "seconds",
)
ENERGY = Metric(
    "pilotfish_gpu_energy_joules_total",
    "counter",
    "Energy of the whole card by source: counter (of the card), or power (estimated: power times time).",
    GPU,
    ("uuid", "source"),
    "joules",
)
ECC_ERRORS = Metric(
    "pilotfish_gpu_ecc_errors_total",
    "counter",
    "Memory errors since the driver was loaded, by kind: corrected, uncorrected.",
    GPU,
    ("uuid", "kind"),
)
XID_ERRORS = Metric(
    "pilotfish_gpu_xid_errors_total",
    "counter",
    "Xid errors that the driver reported since the start of this process, by number.",
    GPU,
    ("uuid", "xid"),
)
PROCESSES = Metric(
    "pilotfish_gpu_processes", "gauge", "Processes with a context on the GPU or the MIG instance.", GPU, _UUID
)
UNAVAILABLE = Metric(
    "pilotfish_gpu_unavailable",
    "gauge",
    "1 for each reading that is not available, with its reason (docs/gpu.md). Uuid is empty for all GPUs.",
    GPU,
    ("uuid", "reading", "reason"),
)
SAMPLER_RESTARTS = Metric(
    "pilotfish_gpu_sampler_restarts_total",
    "counter",
    "Restarts of the process that samples the GPUs, by the reason of its end.",
    GPU,
    ("reason",),
)

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
