"""GPU Performance Monitoring (GPM): utilization of a GPU or a GPU instance, from Hopper on. Runs in the child.

GPM has no value of a moment: it compares two samples that the caller keeps. The source is NVML's nvmlGpmMetricsGet.
"""

from __future__ import annotations

from typing import Any

from .calls import CallPlace, GuardedCalls
from .problems import reason_of

PER_CENT = 100.0


class GpmMeter:
    """Two samples of one GPU or GPU instance, which take turns. `read` returns a value from the second call on."""

    def __init__(self) -> None:
        self._previous: Any = None
        self._spare: Any = None
        self._wanted: Any = None

    def read(
        self, calls: GuardedCalls, place: CallPlace, readings: tuple[str, str], instance: int | None
    ) -> tuple[float | None, float | None]:
        """Return two shares since the previous call: of time with a kernel, and of busy SMs.

        `place` is the GPU; `instance` is a GPU instance of it. Problems are reported for the two `readings`.
        """
        if self._spare is None:
            self._spare = calls.read(readings[1], CallPlace(None, place.label, place.index), "nvmlGpmSampleAlloc")
        if self._spare is None:
            return None, None
        if instance is None:
            taken = calls.read(readings[1], place, "nvmlGpmSampleGet", self._spare)
        else:
            taken = calls.read(readings[1], place, "nvmlGpmMigSampleGet", instance, self._spare)
        if taken is None:
            return None, None
        previous, self._previous, self._spare = self._previous, self._spare, self._previous
        if previous is None:
            return None, None
        if self._wanted is None:
            self._wanted = _request(calls.nvml)
        self._wanted.sample1, self._wanted.sample2 = previous, self._previous
        return _compare(calls, place, readings, self._wanted)


def query_support(calls: GuardedCalls, place: CallPlace, reading: str) -> bool | None:
    """Return whether the GPU has GPM; None and a problem for `reading` if it cannot be read."""
    support = calls.read(reading, place, "nvmlGpmQueryDeviceSupport")
    return None if support is None else bool(support.isSupportedDevice)


def _request(nvml: Any) -> Any:
    wanted = nvml.c_nvmlGpmMetricsGet_t()  # 19 kB
    wanted.version = nvml.NVML_GPM_METRICS_GET_VERSION
    wanted.numMetrics = 2
    wanted.metrics[0].metricId = nvml.NVML_GPM_METRIC_GRAPHICS_UTIL
    wanted.metrics[1].metricId = nvml.NVML_GPM_METRIC_SM_UTIL
    return wanted


def _compare(
    calls: GuardedCalls, place: CallPlace, readings: tuple[str, str], wanted: Any
) -> tuple[float | None, float | None]:
    if calls.read(readings[1], CallPlace(None, place.label, place.index), "nvmlGpmMetricsGet", wanted) is None:
        return None, None
    running, busy = (_share(calls, place, reading, wanted.metrics[number]) for number, reading in enumerate(readings))
    return running, busy


def _share(calls: GuardedCalls, place: CallPlace, reading: str, metric: Any) -> float | None:
    if metric.nvmlReturn:
        code = int(metric.nvmlReturn)
        calls.report(reading, place, reason_of(code), f"nvmlGpmMetricsGet returned {code} for it")
        return None
    return calls.number(reading, place, metric.value, PER_CENT, scale=1 / PER_CENT)
