"""The scripted driver as fixtures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.nvml.driver import COMPILER, ScriptedDriver, build


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if COMPILER is None:
        pytest.skip("not installed: cc, the C compiler (Debian: gcc)")
    return build(tmp_path_factory.mktemp("nvml"))


@pytest.fixture
def driver(library: Path, tmp_path: Path) -> ScriptedDriver:
    found = ScriptedDriver(library, tmp_path / "driver.script")
    found.devices(2)
    return found
