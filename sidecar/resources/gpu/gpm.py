"""GPU Performance Monitoring (GPM): utilization of a GPU or a GPU instance, from Hopper on. Runs in the child.

GPM has no value of a moment: it compares two samples that the caller keeps. The source is NVML's nvmlGpmMetricsGet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .calls import CallPlace, GuardedCalls
from .problems import GpuReason, reason_of

PER_CENT = 100.0
READING = "sm_utilization"  # the reading of its problems


class GpmMeter:
    """Two samples of one GPU or GPU instance, which take turns; GPM needs 100 ms between them."""

    def __init__(self) -> None:
        self._previous: Any = None
        self._spare: Any = None
        self._wanted: Any = None

    def read(self, calls: GuardedCalls, place: CallPlace, instance: int | None) -> GpmShares:
        """Return the shares since the previous call, without values at the first one.

        `place` is the GPU; `instance` is a GPU instance of it, None for the whole GPU.
        """
        unbound = CallPlace(None, place.label, place.index)
        if self._spare is None:
            self._spare = calls.read(READING, unbound, "nvmlGpmSampleAlloc")
        if self._spare is None:
            return NO_SHARES
        if instance is None:
            taken = calls.read(READING, place, "nvmlGpmSampleGet", self._spare)
        else:
            taken = calls.read(READING, place, "nvmlGpmMigSampleGet", instance, self._spare)
        if taken is None:
            return NO_SHARES
        previous, self._previous, self._spare = self._previous, self._spare, self._previous
        if previous is None:
            calls.report(READING, place, GpuReason.NO_SAMPLES, "GPM compares two samples, and this is the first")
            return NO_SHARES
        if self._wanted is None:
            self._wanted = _request(calls.nvml)
        self._wanted.sample1, self._wanted.sample2 = previous, self._previous
        if calls.read(READING, unbound, "nvmlGpmMetricsGet", self._wanted) is None:
            return NO_SHARES
        running, busy = (_share(calls, place, self._wanted.metrics[number]) for number in range(2))
        return GpmShares(running, busy)


@dataclass(frozen=True, slots=True)
class GpmShares:
    """Shares of a time span: in which a kernel ran, and of the SMs that were busy; 0 to 1."""

    running: float | None = None
    busy: float | None = None


NO_SHARES = GpmShares()


def query_support(calls: GuardedCalls, place: CallPlace) -> bool | None:
    """Return whether the GPU has GPM; None and a problem if it cannot be read."""
    support = calls.read(READING, place, "nvmlGpmQueryDeviceSupport")
    return None if support is None else bool(support.isSupportedDevice)


def _request(nvml: Any) -> Any:
    wanted = nvml.c_nvmlGpmMetricsGet_t()  # 19 kB
    wanted.version = nvml.NVML_GPM_METRICS_GET_VERSION
    wanted.numMetrics = 2
    wanted.metrics[0].metricId = nvml.NVML_GPM_METRIC_GRAPHICS_UTIL
    wanted.metrics[1].metricId = nvml.NVML_GPM_METRIC_SM_UTIL
    return wanted


def _share(calls: GuardedCalls, place: CallPlace, metric: Any) -> float | None:
    if metric.nvmlReturn:
        code = int(metric.nvmlReturn)
        calls.report(READING, place, reason_of(code), f"nvmlGpmMetricsGet returned {code} for metric {metric.metricId}")
        return None
    return calls.number(READING, place, metric.value, PER_CENT, scale=1 / PER_CENT)
