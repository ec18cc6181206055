"""A memory limit that is too low to start becomes a usage error with a limit that is enough."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer import app, memory
from pilotfish.sidecar.analyzer.options import Options
from pilotfish.sidecar.errors import UsageError

MIB = 1 << 20


@given(st.integers(1, 4096), st.integers(1, 4096))
def test_the_proposed_limit_is_always_enough(size: int, used: int) -> None:
    if not memory.near_limit(used * MIB, size * MIB):
        memory.check_room(size * MIB, used * MIB)
        return
    with pytest.raises(UsageError, match=f"--memory-limit {size}Mi: the analyzer needs {used} MiB") as caught:
        memory.check_room(size * MIB, used * MIB)
    proposed = re.search(r"give (\d+)Mi or more", str(caught.value))
    assert proposed is not None
    memory.check_room(int(proposed[1]) * MIB, used * MIB)


def test_no_limit_is_always_enough() -> None:
    memory.check_room(0, 1 << 50)


def test_memory_that_runs_out_while_all_is_loaded_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(memory, "limit_data", lambda *_: None)
    monkeypatch.setattr(app, "load_first_profile", fail)
    with pytest.raises(UsageError, match="--memory-limit 64Mi"):
        app.build(Options(shared=tmp_path, admin="127.0.0.1:0", memory_limit=64 * MIB))
