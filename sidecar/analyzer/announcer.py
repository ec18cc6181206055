"""Logs the events of the analyzer process, once each, by comparing the present state with the previous one."""

from __future__ import annotations

import logging
from pathlib import Path

from ..errors import quote_value
from ..report.announcements import control_lines, report_lines
from ..report.control_status import ControlStatus
from ..report.schema import Report
from ..settings.document import ModelMonitor
from ..system.addresses import Address

_LOG = logging.getLogger("pilotfish.analyzer")
_CONTROL_LOG = logging.getLogger("pilotfish.control")


class Announcer:
    """Logs what `document` requires at the start, and then what changes in report and control status."""

    def __init__(self, document: ModelMonitor | None) -> None:
        self._document = document
        self._report: Report | None = None
        self._control: ControlStatus | None = None

    def started(self, path: Path | None, address: Address) -> None:
        """Log the document in force and where this machine reaches the admin address."""
        if self._document is not None:
            spec = self._document.spec
            model = " version ".join(quote_value(part) for part in (spec.model.name, spec.model.version) if part)
            _LOG.info("the document %s is in force: model %s, mode %s", quote_value(path), model or "any", spec.mode)
        elif path is None:
            _LOG.info(
                "there is no document: traffic is measured, drift is not detected; write one and give it with --file"
            )
        _LOG.info("the report is at http://%s/report, metrics are at http://%s/metrics", address, address)

    def report(self, report: Report) -> None:
        """Log what has changed since the last call."""
        for level, text in report_lines(self._report, report):
            _LOG.log(level, "%s", text)
        self._report = report

    def control(self, status: ControlStatus, since: float) -> None:
        """Log the intents that have changed since the last call and since the epoch second `since`."""
        for level, text in control_lines(self._control, status, since):
            _CONTROL_LOG.log(level, "%s", text)
        self._control = status
