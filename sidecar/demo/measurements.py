"""Figures that the demo takes from outside, as a user would: accounting in /metrics, use in /report and /proc."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from ..channel.page import PageError, read_page
from ..report.blocks.resources import PredictionCost
from ..report.response import ReportResponse

QUEUED = "queued"
REST = 30.0  # seconds until the last records must be measured
POLL = 0.2  # seconds
SAMPLED = 2.5  # seconds after which a sample of resources must be in the report


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
class ProcessUsage:
    """CPU time of a process in seconds and its resident memory in bytes."""

    cpu_seconds: float
    resident: int


@dataclass(frozen=True, slots=True)
class ModelUse:
    """CPU seconds of the model server, as Pilotfish and as /proc count them, and the cost of its predictions."""

    reported: float
    counted: float
    predictions: tuple[PredictionCost, ...]
    currency: str


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
            found = await _accounting(client, admin)
        await asyncio.sleep(POLL)
    return found


async def until_measured(client: aiohttp.ClientSession, admin: str) -> None:
    """Wait until the exchanges that the proxy has relayed so far are measured, whatever comes meanwhile."""
    first = now = await _accounting(client, admin)
    while now.seen - now.fates.get(QUEUED, 0) < first.seen:
        await asyncio.sleep(POLL)
        now = await _accounting(client, admin)


async def _accounting(client: aiohttp.ClientSession, admin: str) -> MeasuredAccounting:
    async with client.get(f"{admin}/metrics") as response:
        return read_accounting(await response.text())


async def model_use(client: aiohttp.ClientSession, admin: str, token: str) -> ModelUse | None:
    """Return what the model server used, from a sample that is newer than this call; None if it is not measured."""
    await asyncio.sleep(SAMPLED)
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    try:
        async with client.get(f"{admin}/report", headers=headers) as response:
            found = msgspec.json.decode(await response.read(), type=ReportResponse).resources
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
        return None
    use = next((use for use in found.use if use.of == "model"), None) if found is not None else None
    if found is None or use is None or found.source.pid is None:
        return None
    with suppress(OSError):
        return ModelUse(use.cpu_seconds, _usage(found.source.pid).cpu_seconds, found.predictions, found.currency)
    return None


def overhead_of(shared: Path) -> ProcessUsage | None:
    """Return the resources used by the proxy that writes the page in the folder `shared`; None if /proc lacks them."""
    try:
        return _usage(read_page(shared / "page").pid)
    except (OSError, PageError):
        return None


def _usage(pid: int) -> ProcessUsage:
    with open(f"/proc/{pid}/stat") as stat, open(f"/proc/{pid}/statm") as statm:
        user, system = stat.read().rpartition(")")[2].split()[11:13]
        pages = int(statm.read().split()[1])
    return ProcessUsage((int(user) + int(system)) / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE"))
