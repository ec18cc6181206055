"""Figures that the demo takes from outside, as a user would: the accounting in /metrics, the proxy's cost in /proc."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from ..channel.page import PageError, read_page

QUEUED = "queued"
REST = 8.0  # seconds until the last records must be measured
POLL = 0.2  # seconds


@dataclass(frozen=True, slots=True)
class MeasuredAccounting:
    """Exchanges by outcome; `seen` is the number that the proxy relayed, `rows` the number of decoded input rows."""

    seen: int
    fates: dict[str, int]
    rows: int

    @property
    def exact(self) -> bool:
        """Whether every exchange has exactly one outcome."""
        return self.seen == sum(self.fates.values())

    @property
    def at_rest(self) -> bool:
        """Whether no exchange is on its way to the analyzer."""
        return QUEUED not in self.fates


@dataclass(frozen=True, slots=True)
class ProxyUsage:
    """CPU time of the proxy in seconds and its resident memory in bytes."""

    cpu_seconds: float
    resident: int


def read_accounting(exposition: str) -> MeasuredAccounting:
    """Return the accounting in an exposition of `pilotfish run`; outcomes without exchanges are left out."""
    seen = rows = 0
    fates: dict[str, int] = {}
    for family in text_string_to_metric_families(exposition):
        for sample in family.samples:
            value = int(sample.value)
            if sample.name == "pilotfish_exchanges_seen_total":
                seen = value
            elif sample.name == "pilotfish_exchanges_queued" and value:
                fates[QUEUED] = value
            elif sample.name == "pilotfish_exchanges_total" and value:
                name = " ".join(filter(None, (sample.labels["fate"], sample.labels["reason"])))
                fates[name] = fates.get(name, 0) + value
            elif sample.name == "pilotfish_rows_total" and sample.labels["side"] == "input":
                rows += value
    return MeasuredAccounting(seen, fates, rows)


async def accounting_at_rest(client: aiohttp.ClientSession, admin: str) -> MeasuredAccounting | None:
    """Return the accounting once nothing is queued, or after REST seconds as it is; None when it is unavailable."""
    deadline = time.monotonic() + REST
    found: MeasuredAccounting | None = None
    while time.monotonic() < deadline and not (found and found.at_rest):
        with suppress(aiohttp.ClientError, TimeoutError):  # retried until the deadline
            async with client.get(f"{admin}/metrics") as response:
                found = read_accounting(await response.text())
        await asyncio.sleep(POLL)
    return found


def overhead_of(shared: Path) -> ProxyUsage | None:
    """Return the resources used by the proxy that writes the page in the folder `shared`; None if /proc lacks them."""
    try:
        pid = read_page(shared / "page").pid
        with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/statm") as statm:
            user, system = stat.read().rpartition(")")[2].split()[11:13]
            pages = int(statm.read().split()[1])
    except (OSError, PageError):
        return None
    return ProxyUsage((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))
