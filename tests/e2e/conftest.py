"""Fixtures: a profile of two normal columns, and a stack with this profile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from tests.control.receiver import Receiver, receiving
from tests.e2e import stack as stacks
from tests.e2e.stack import Stack
from tests.support.processes import Children


def profile_of(seed: int, *, version: str = "1", shift: float = 0.0) -> bytes:
    """Return a profile of the columns in the load; each seed gives another hash."""
    generator = np.random.default_rng(seed)
    columns = {"a": generator.normal(shift, 1, 20_000), "b": generator.normal(0, 1, 20_000)}
    return build_profile(columns, model="m", version=version, exchangeable=True, tick_seconds=0.2).to_bytes()


@pytest.fixture(scope="session")
def profile() -> bytes:
    return profile_of(1)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def stack(tmp_path: Path, spawn: Children, profile: bytes, receiver: Receiver) -> Stack:
    return stacks.create_stack(tmp_path, spawn, profile, receiver.url)
