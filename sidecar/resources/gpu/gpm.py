"""GPU Performance Monitoring (GPM): utilization of a GPU or a GPU instance, from Hopper on. Runs in the child.

GPM has no value of a moment: it compares two samples that the caller keeps. The source is NVML's nvmlGpmMetricsGet.
"""

from __future__ import annotations

from typing import Any

from .calls import GuardedCalls, Place
from .problems import GpuReason, reason_of

PER_CENT = 100.0


class GpmMeter:
    """Two samples of one GPU or GPU instance, which take turns. `read` returns a value from the second call on."""

    def __init__(self) -> None:
        self._previous: Any = None
        self._spare: Any = None

    def read(
        self, calls: GuardedCalls, place: Place, readings: tuple[str, str], instance: int | None
    ) -> tuple[float | None, float | None]:
        """Return two shares since the previous call: of time with a kernel, and of busy SMs.

        `place` is the GPU; `instance` is a GPU instance of it. Problems are reported for the two `readings`.
        """
        if self._spare is None:
            self._spare = calls.read(readings[1], Place(None, place.label, place.index), "nvmlGpmSampleAlloc")
        if self._spare is None:
            return None, None
        if instance is None:
            taken = calls.read(readings[1], place, "nvmlGpmSampleGet", self._spare)
        else:
            taken = calls.read(readings[1], place, "nvmlGpmMigSampleGet", instance, self._spare)
        if taken is None:
            return None, None
        previous, self._previous, self._spare = self._previous, self._spare, self._previous
        return (None, None) if previous is None else _compare(calls, place, readings, previous, self._previous)


def is_supported(calls: GuardedCalls, place: Place, reading: str) -> bool:
    """Return whether the GPU has GPM; report the reason for `reading` if not."""
    support = calls.read(reading, place, "nvmlGpmQueryDeviceSupport")
    if support is None:
        return False
    if not support.isSupportedDevice:
        calls.report(reading, place, GpuReason.UNSUPPORTED, "GPM needs a GPU of the Hopper generation or newer")
    return bool(support.isSupportedDevice)


def _compare(
    calls: GuardedCalls, place: Place, readings: tuple[str, str], previous: Any, current: Any
) -> tuple[float | None, float | None]:
    nvml = calls.nvml
    wanted = nvml.c_nvmlGpmMetricsGet_t()
    wanted.version = nvml.NVML_GPM_METRICS_GET_VERSION
    wanted.numMetrics = len(readings)
    wanted.sample1, wanted.sample2 = previous, current
    for place_in_list, metric in enumerate((nvml.NVML_GPM_METRIC_GRAPHICS_UTIL, nvml.NVML_GPM_METRIC_SM_UTIL)):
        wanted.metrics[place_in_list].metricId = metric
    if calls.read(readings[1], Place(None, place.label, place.index), "nvmlGpmMetricsGet", wanted) is None:
        return None, None
    running, busy = (_share(calls, place, reading, wanted.metrics[number]) for number, reading in enumerate(readings))
    return running, busy


def _share(calls: GuardedCalls, place: Place, reading: str, metric: Any) -> float | None:
    if metric.nvmlReturn:
        code = int(metric.nvmlReturn)
        calls.report(reading, place, reason_of(code), f"nvmlGpmMetricsGet returned {code} for it")
        return None
    return calls.number(reading, place, metric.value, PER_CENT, scale=1 / PER_CENT)
