"""Fixtures for every test."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.processes import Children

# Time on a shared core says nothing about an example; in CI the examples are the same ones in every run.
settings.register_profile(
    "pilotfish", deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("pilotfish")

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test failed, so that a fixture's end can show what explains it."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def spawn(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Children]:
    """Start child processes that end with the test; their outputs are shown if it fails."""
    folder = tmp_path / "children"
    folder.mkdir()
    children = Children(folder)
    yield children
    children.end()
    if request.node.stash.get(FAILED, False):
        print(children.report(), file=sys.stderr)
