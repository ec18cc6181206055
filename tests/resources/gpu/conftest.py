"""The scripted driver, and sessions with it in the process of the tests."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from pilotfish.sidecar.resources.gpu.calls import MARK_BYTES, GuardedCalls
from pilotfish.sidecar.resources.gpu.sample import GpuSample
from pilotfish.sidecar.resources.gpu.session import GpuSession
from tests.support.nvml.driver import LIBRARY, ScriptedDriver
from tests.support.nvml.fixtures import driver, library  # noqa: F401  # fixtures for this folder

NOW = 1_800_000_000.0


@dataclass
class Bench:
    """A session in this process, whose library was loaded before nvidia-ml-py looks for it by its name."""

    calls: GuardedCalls
    listed: list[str] = field(default_factory=lambda: ["0000:01:00.0"])
    session: GpuSession = field(init=False)
    moment: float = 0.0
    isolated: bool = False

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        self.session = GpuSession(self.calls, lambda: tuple(self.listed), isolated=self.isolated)
        assert self.session.open() == ()

    def sample(self, now: float, after: float = 1.0) -> GpuSample:
        self.moment += after
        return self.session.sample(now, self.moment)


@pytest.fixture
def bench(
    driver: ScriptedDriver,  # noqa: F811  # the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], Bench]:
    ctypes.CDLL(str(driver.library / LIBRARY))
    monkeypatch.setenv("NVML_SCRIPT", str(driver.script))
    import pynvml  # type: ignore[import-untyped]

    opened: list[GuardedCalls] = []

    def make() -> Bench:
        opened.append(GuardedCalls(pynvml, bytearray(MARK_BYTES), frozenset()))
        return Bench(opened[-1])

    return make
