"""The GPUs that sidecars sample themselves by NVML: without dcgm-exporter, and in pods that are given one."""

from __future__ import annotations

from ..model import FULL, ZERO_IS_GOOD, Panel, Section, Steps, Target
from ..queries import grown, largest, rate, ratio, series, total

NO_NVML = "no sidecar sees a GPU"
_BY = ("namespace", "pod", "uuid")
_WHO = "{{pod}} {{uuid}}"
_HOT: Steps = ((None, "green"), (80, "yellow"), (90, "red"))


def _gauge(metric: str) -> str:
    return largest(series(metric), *_BY)


def _of_memory(metric: str) -> str:
    return ratio(_gauge(metric), _gauge("pilotfish_gpu_memory_total_bytes"))


DEVICES = Section(
    "GPUs that sidecars sample",
    (
        Panel(
            "table",
            "GPUs",
            "GPUs and MIG instances of the selected pods, their processes, and readings that are not available.",
            (
                Target(largest(series("pilotfish_gpu_info"), *_BY, "name", "driver"), title="GPUs"),
                Target(_gauge("pilotfish_gpu_processes"), title="Processes"),
                Target(largest(series("pilotfish_gpu_unavailable"), *_BY, "reading", "reason"), title="Unavailable"),
            ),
            empty=NO_NVML,
            width=24,
            height=6,
        ),
        Panel(
            "lines",
            "Utilization",
            "Share of time in which a kernel ran, and share of processors that were busy; only the second is capacity.",
            (
                Target(_gauge("pilotfish_gpu_utilization_ratio"), f"{_WHO} kernel"),
                Target(_gauge("pilotfish_gpu_sm_utilization_ratio"), f"{_WHO} processors"),
                Target(_gauge("pilotfish_gpu_memory_utilization_ratio"), f"{_WHO} memory access"),
            ),
            unit="percentunit",
            empty=NO_NVML,
            high=1,
        ),
        Panel(
            "lines",
            "Busy share",
            "Share of the measured time in which a kernel ran, over the interval.",
            (
                Target(
                    ratio(
                        total(rate("pilotfish_gpu_busy_seconds_total"), *_BY),
                        total(rate("pilotfish_gpu_measured_seconds_total"), *_BY),
                    ),
                    _WHO,
                ),
            ),
            unit="percentunit",
            empty=NO_NVML,
            high=1,
        ),
        Panel(
            "lines",
            "Memory of the GPUs",
            "Used share of the memory of each GPU; the driver reserves a part that is neither used nor free.",
            (
                Target(_of_memory("pilotfish_gpu_memory_used_bytes"), _WHO),
                Target(
                    f"1 - {_of_memory('pilotfish_gpu_memory_free_bytes')}",
                    f"{_WHO} not free",
                ),
            ),
            unit="percentunit",
            empty=NO_NVML,
            steps=FULL,
            high=1,
        ),
        Panel(
            "lines",
            "Power of the cards",
            "Power of each card, its limit, and its mean power from the energy counter.",
            (
                Target(_gauge("pilotfish_gpu_power_watts"), _WHO),
                Target(_gauge("pilotfish_gpu_power_limit_watts"), f"{_WHO} limit"),
                Target(total(rate("pilotfish_gpu_energy_joules_total"), *_BY, "source"), f"{_WHO} by {{{{source}}}}"),
            ),
            unit="watt",
            empty=NO_NVML,
        ),
        Panel(
            "lines",
            "Temperature",
            "Temperature of each GPU.",
            (Target(_gauge("pilotfish_gpu_temperature_celsius"), _WHO),),
            unit="celsius",
            empty=NO_NVML,
            steps=_HOT,
        ),
        Panel(
            "lines",
            "Errors of the GPUs",
            "Xid errors, memory errors that ECC could not correct or did, and restarts of the sampling process.",
            (
                Target(total(grown("pilotfish_gpu_xid_errors_total"), *_BY, "xid"), f"{_WHO} Xid {{{{xid}}}}"),
                Target(total(grown("pilotfish_gpu_ecc_errors_total"), *_BY, "kind"), f"{_WHO} ECC {{{{kind}}}}"),
                Target(
                    total(grown("pilotfish_gpu_sampler_restarts_total"), "namespace", "pod", "reason"),
                    "{{pod}} sampler {{reason}}",
                ),
            ),
            empty=NO_NVML,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
