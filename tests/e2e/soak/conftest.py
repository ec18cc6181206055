"""The table of figures at the end of `make soak`."""

from __future__ import annotations

from _pytest.terminal import TerminalReporter

from tests.e2e.soak.figures import FIGURES


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what the tests measured."""
    if FIGURES.lines:
        terminalreporter.section("figures")
        terminalreporter.write_line(FIGURES.table())
