"""The use of the library by one sampling process, from nvmlInit on. Runs in the child.

GPUs are enumerated again every 10 seconds. The library sees a GPU that was added, and one that was reset, only in a
new process, so a session ends when the kernel's list of GPUs changes, or some time after a GPU was lost or a call
claimed that the driver is gone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .calls import MACHINE, GuardedCalls
from .card import GpuCard, enumerate_cards
from .problems import ENDS_SESSION, GpuReason
from .reader import read_device
from .sample import DeviceSample, GpuProblem, GpuSample, ProcessSample
from .tasks import read_processes

REFRESH_SECONDS = 10.0
REOPEN_SECONDS = 60.0  # after a GPU was lost, or a call claimed so of the driver
_NEEDS_REOPEN = ENDS_SESSION | {GpuReason.DEVICE_LOST}
FIRST_NAMESPACE = "pid:[4026531836]"  # PROC_PID_INIT_INO of the kernel
KERNEL_LIST = "/proc/driver/nvidia/gpus"


class GpuSession:
    """Takes samples. `open` first; `sample` raises SessionEndedError when the driver is gone.

    `kernel_list` returns the kernel's list of GPUs. `isolated` if this process does not see all processes.

    Attributes:
        devices: number of GPUs of the last enumeration.
    """

    def __init__(self, calls: GuardedCalls, kernel_list: Callable[[], Any], *, isolated: bool) -> None:
        self._calls = calls
        self._kernel_list = kernel_list
        self._isolated = isolated
        self._listed = kernel_list()
        self._cards: dict[str, GpuCard] = {}
        self._driver: str | None = None
        self._refresh_at = 0.0
        self._reopen_at: float | None = None
        self._previous: float | None = None
        self._lasting: tuple[GpuProblem, ...] = ()  # found when the GPUs were enumerated; valid until the next time

    @property
    def devices(self) -> int:
        """The number of GPUs of the last enumeration."""
        return len(self._cards)

    def open(self) -> tuple[GpuProblem, ...]:
        """Initialize the library; return the problems, empty if it worked."""
        opened = self._calls.read("devices", MACHINE, "nvmlInit")
        return () if opened is not None else self._calls.take_problems()

    def outdated(self, moment: float) -> bool:
        """Return whether another session would see other GPUs. `moment` is monotonic seconds."""
        return self._kernel_list() != self._listed or (self._reopen_at is not None and moment >= self._reopen_at)

    def sample(self, now: float, moment: float) -> GpuSample:
        """Return the sample of `now`, epoch seconds, which is `moment` by the monotonic clock."""
        if moment >= self._refresh_at:
            self._refresh(moment)
        devices: list[DeviceSample] = []
        processes: list[ProcessSample] = []
        for card in self._cards.values():
            device = read_device(self._calls, card, now)
            devices.append(device)
            processes += read_processes(self._calls, card, device.memory_used, now, isolated=self._isolated)
        self._calls.check_session()
        problems = (*self._lasting, *self._calls.take_problems())
        if self._reopen_at is None and any(one.reason in _NEEDS_REOPEN for one in problems):
            self._reopen_at = moment + REOPEN_SECONDS
        since, self._previous = self._previous, moment
        return GpuSample(
            at=now,
            seconds=None if since is None else moment - since,
            driver=self._driver,
            devices=tuple(devices),
            processes=tuple(processes),
            problems=problems,
        )

    def _refresh(self, moment: float) -> None:
        self._refresh_at = moment + REFRESH_SECONDS
        self._calls.forget()
        if self._driver is None:
            self._driver = self._calls.read("driver", MACHINE, "nvmlSystemGetDriverVersion") or None
        self._cards = enumerate_cards(self._calls, self._cards)
        self._lasting = self._calls.take_problems()
        if not self._cards and not self._lasting:
            self._lasting = (GpuProblem(reason=GpuReason.NO_DEVICE, reading="devices"),)


def is_isolated() -> bool:
    """Return whether this process has another PID namespace than the first one, as in a container."""
    return os.readlink("/proc/self/ns/pid") != FIRST_NAMESPACE


def listed_by_kernel() -> tuple[str, ...]:
    """Return the GPUs that the kernel module lists; empty without it."""
    try:
        return tuple(sorted(os.listdir(KERNEL_LIST)))
    except OSError:
        return ()
