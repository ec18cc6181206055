"""Pages of real monitors, and a check of their HTML."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from functools import cache
from html.parser import HTMLParser

import numpy as np

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.sidecar.report import convert
from pilotfish.sidecar.report import schema as report
from pilotfish.sidecar.report.response import ReportResponse
from pilotfish.sidecar.report.timeline.build import time_line
from pilotfish.sidecar.report.timeline.schema import Timeline

NOW = 1_700_000_000.0
FIRST = 28_333_320  # a tick of 60 s at a full hour
DRIFT = DriftSettings(per_seconds=60 * 2000.0)
VOID = frozenset({"meta", "br"})
FORBIDDEN = frozenset(
    ["a", "audio", "base", "embed", "form", "iframe", "image", "img", "link", "object", "script", "use", "video"]
)


class Outline(HTMLParser):
    """Checks that tags are balanced, and collects tags and attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check(text: str) -> None:
    """Fail unless tags are balanced, nothing is run or fetched, and the charts are well-formed and finite."""
    outline = Outline(text)
    assert outline.open == []
    assert not outline.tags & FORBIDDEN
    assert not {name for name in outline.attributes if name.startswith("on") or name in {"href", "src", "style"}}
    assert not re.search(r"url\(|@import", text)
    for drawing in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        for element in ET.fromstring(drawing).iter():
            values = [value for name, value in element.attrib.items() if name not in {"aria-label", "class"}]
            assert not any("nan" in value or "inf" in value for value in values), drawing


@cache
def drifting(name: str = "amount", ticks: int = 120, since: int = 80) -> tuple[Profile, DriftMonitor]:
    """Return a profile and a monitor of two columns; the column `name` drifts from tick `since` on."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=4000), "colour": rng.choice(["blue", "green", "red"], 4000)}
    profile = build_profile(columns, exchangeable=True, model="m", version="7")
    monitor, counts = DriftMonitor(profile, DRIFT), TickCounts(profile)
    for tick in range(ticks):
        shift = 2.0 if tick >= since else 0.0
        rows = {name: rng.normal(size=20) + shift, "colour": rng.choice(["blue", "green", "red"], 20)}
        counts.add(Batch(rows, 20))
        monitor.close_tick(FIRST + tick, counts.take())
    return profile, monitor


def answer(profile: Profile, monitor: DriftMonitor) -> ReportResponse:
    """Return the response of /report for that monitor, without a proxy."""
    status = monitor.status()
    return ReportResponse(
        made_at=NOW,
        started_at=NOW - 60,
        state="watching",
        model=profile.model,
        version=profile.version,
        profile=convert.profile_info(profile),
        ticks=report.TickStatus(tick_seconds=60.0, last_closed=status.tick, closed_total=status.ticks_closed),
        families=convert.families(status),
        features=convert.features(profile, status),
        episodes=convert.episodes(status.episodes),
        budget=convert.budget(DRIFT, status.ticks_closed, 1),
    )


def both(name: str = "amount", ticks: int = 120, since: int = 80) -> tuple[ReportResponse, Timeline]:
    profile, monitor = drifting(name, ticks, since)
    made = answer(profile, monitor)
    return made, time_line(profile, monitor.windows.snapshot(), made)
