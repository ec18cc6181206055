"""What a notebook shows of a replay: the evidence over time, and the pictures of each column that drifted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..report.pages import drift_cards, evidence
from ..report.pages.markup import name, text
from ..report.response import ReportResponse
from ..report.timeline.schema import Timeline
from . import html

CARDS = 6
WIDE, HALF = 900, 440  # pixels


def result_html(
    summary: str, report: ReportResponse, timeline: Timeline, warnings: Sequence[str], notes: Sequence[str]
) -> str:
    """Return the summary, the charts, the warnings and the notes."""
    charts = [*_evidence(report, timeline), *_cards(report, timeline)]
    lists = [html.listed("Warnings", warnings), html.listed("Notes", notes)]
    return "".join([f"<p><b>{text(summary)}</b></p>", *charts, *lists])


def _evidence(report: ReportResponse, timeline: Timeline) -> Iterator[str]:
    drawn = evidence.chart(report, timeline)
    if drawn:
        yield f"<p>Evidence over its threshold; 1 is an alarm. {html.legend(evidence.families(timeline))}</p>"
        yield html.picture(drawn, "evidence of each family over time", WIDE)


def _cards(report: ReportResponse, timeline: Timeline) -> Iterator[str]:
    found = drift_cards.drifted(report, timeline)
    for card in found[:CARDS]:
        state = "drifting" if card.drift.open else "ended"
        yield f"<p><b>{name(card.title)}</b> ({state})<br>{text(drift_cards.headline(card, report))}</p>"
        bars, over_time, _ = drift_cards.pictures(card, report, timeline)
        yield html.picture(bars, f"{card.title}: reference (filled) and rows since the onset (line)", HALF)
        yield html.picture(over_time, f"{card.title}: PSI over time", HALF)
    if len(found) > CARDS:
        yield html.paragraph(f"and {len(found) - CARDS} more: see features")
