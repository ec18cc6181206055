"""All sources of one scrape, read once."""

from __future__ import annotations

from dataclasses import dataclass

from ..channel.page import PageSnapshot
from ..report.control_status import ControlStatus
from ..report.schema import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrapeInput:
    """One moment: `page` was read after `report` was taken; None without a proxy. `now` is epoch seconds."""

    report: Report
    page: PageSnapshot | None
    control: ControlStatus | None
    now: float
    memory_limit: int = 0
