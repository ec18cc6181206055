"""Fixtures for every test."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.cluster import control_plane  # noqa: F401  # a fixture for every folder, started once
from tests.support.examples import ALL
from tests.support.leftovers import changed, process_settings
from tests.support.processes import Children
from tests.support.sizes import size
from tests.support.waiting import PATIENCE, patient

# Time on a shared core says nothing about an example. In CI the examples are the same ones in every run. `make test`
# tries an eighth of what a test asks for (tests/support/examples.py), `make test-long` 40 %, and `make soak` all of it.
_common = settings(
    deadline=None, derandomize="CI" in os.environ, suppress_health_check=[HealthCheck.too_slow], max_examples=ALL
)
settings.register_profile("long", _common, max_examples=size(ALL * 2 // 5, ALL))
settings.register_profile("pilotfish", _common, max_examples=ALL // 8)
settings.load_profile("pilotfish")

FAILED = pytest.StashKey[bool]()
SETTINGS = pytest.StashKey[dict[str, object]]()


def pytest_configure() -> None:
    """Let children start with the default for SIGHUP, also under nohup: they would inherit that it is ignored."""
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)  # a handler ignores it as well, and no child inherits it


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give every test as much more time as this machine needs."""
    if PATIENCE != 1:
        usual = float(config.getoption("timeout") or config.getini("timeout"))
        for item in items:
            marker = item.get_closest_marker("timeout")
            seconds = float(marker.args[0]) if marker else usual
            item.add_marker(pytest.mark.timeout(patient(seconds)), append=False)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector away from collected tests: a million objects that live as long as the process."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Remember the settings of the process before the test."""
    item.stash[SETTINGS] = process_settings()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test that leaves other settings, such as a lower priority: the tests after it would fail instead."""
    yield
    left = changed(item.stash[SETTINGS], process_settings())
    assert not left, f"the test changed the process that runs the tests: {left}; start a process for it"


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
