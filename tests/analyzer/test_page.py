"""The page shows what the Report holds, escapes what others wrote, and needs nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer.http import figures, page
from pilotfish.sidecar.analyzer.publish import Published
from pilotfish.sidecar.telemetry.account import account
from pilotfish.sidecar.telemetry.reading import Reading
from tests.telemetry.made import NOW, reading, whole_report

VOID = {"meta", "rect", "br", "i"}


class Outline(HTMLParser):
    """Checks that tags are balanced, and collects them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture
def text(tmp_path: Path) -> str:
    whole = reading(tmp_path / "page")
    assert whole.page is not None
    return page.render(page.Shown(Published(whole.report), whole, account(whole.page, whole.report.counts)))


def test_tags_are_balanced_and_none_fetches_or_runs_anything(text: str) -> None:
    outline = Outline(text)
    assert outline.open == []
    assert not outline.tags & {"script", "link", "img", "iframe", "form", "object", "embed", "base", "a"}
    assert not re.search(r"https?://|url\(|@import|\son\w+=", text)


def test_what_others_wrote_is_escaped(text: str) -> None:
    assert "<b>a" not in text
    assert "&lt;b&gt;a&quot;b" in text


def test_the_alarm_the_episode_and_the_account_are_there(text: str) -> None:
    for piece in ("watching", "e1", "0.200", "1.00%", "POST /v2/models/m/infer", "undecodable", "queued", "abc"):
        assert piece in text, piece


def test_losses_and_labels_are_there(text: str) -> None:
    for piece in (
        "absolute error",
        "realized recently <b>(believed)</b>",
        "1.500",
        "90 joined",
        "75.0% of the predicted",
    ):
        assert piece in text, piece


def test_without_a_proxy_the_page_says_so() -> None:
    alone = Reading(report=whole_report(), page=None, control=None, now=NOW)
    assert "No counter page" in page.render(page.Shown(Published(alone.report), alone, None))


def test_the_style_is_the_one_that_the_policy_allows(text: str) -> None:
    assert f"<style>{page.STYLE}</style>" in text
    assert "style=" not in text


def test_a_histogram_joins_neighbours_when_there_are_many() -> None:
    drawn = figures.histogram([str(n) for n in range(500)], [1.0] * 500, [0.0] * 500)
    assert drawn.count("<g>") <= figures.MAX_BARS
    assert "0 … 10" in drawn


@pytest.mark.parametrize(("ratio", "width"), [(0.0, 0.0), (1e-9, 0.0), (0.01, 60.0), (1.0, 120.0), (1e9, 120.0)])
def test_a_meter_is_full_at_an_alarm(ratio: float, width: float) -> None:
    assert f'width="{width:.1f}"' in figures.meter(ratio)
