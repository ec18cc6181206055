"""Texts that users give add no element, attribute, line or escape sequence to a page, a metric or a terminal."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain_text

from pilotfish.sidecar.analyzer.http.report import build_response
from pilotfish.sidecar.errors import escape_unprintable
from pilotfish.sidecar.report.pages import page, summary
from pilotfish.sidecar.report.response import ReportResponse
from pilotfish.sidecar.report.timeline.schema import Timeline
from pilotfish.sidecar.telemetry.exposition import Exposition
from pilotfish.sidecar.telemetry.scrape import ScrapeInput
from tests.report.pages.made import both, check
from tests.support.examples import examples
from tests.telemetry.made import reading

SPECIAL = "<>\"'&`=\\/;# \x00\x07\b\t\n\r\x1b\x7f\x85\x9b\u2028\u2029\u202e\u2066\ud800\udfff\ufffeaé"
ATTACKS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></svg><!--",
    "]]>&lt;&#x3c;",
    "\x1b]0;owned\x07\x1b[2J",
    'x"} 1\npilotfish_ready 0',
    "\u202egnp.exe\ud800",
    "<" * 5000,
)
TEXTS = st.text(st.sampled_from(SPECIAL), max_size=90) | st.sampled_from(ATTACKS)
TEXT = settings(max_examples=examples(60), deadline=None)
NARROW_SPACE = "\u202f"  # between thousands


class Structure(HTMLParser):
    """The elements of a page with the names of their attributes, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, ...]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data: str) -> None:
        self.elements.append(("a comment", data))


def replaced(value: Any, text: str) -> Any:
    """Return `value` with `text` in place of each string that a user gives."""
    if isinstance(value, msgspec.Struct):
        limited = {name for name, kind in get_type_hints(type(value)).items() if "Literal" in str(kind)}
        names = set(value.__struct_fields__) - limited
        return msgspec.structs.replace(value, **{name: replaced(getattr(value, name), text) for name in names})
    if isinstance(value, dict):
        return {key: replaced(inner, text) for key, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(replaced(inner, text) for inner in value)
    return text if isinstance(value, str) else value


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ScrapeInput:
    """Return a scrape with a value in every field."""
    return reading(tmp_path_factory.mktemp("page") / "page")


@pytest.fixture(scope="module")
def answers(whole: ScrapeInput) -> list[tuple[ReportResponse, Timeline]]:
    """Return a report with all blocks, and one of a monitor with drift, each with its timeline."""
    return [(build_response(whole.report, whole), Timeline(tick_seconds=60.0)), both()]


def rendered(answer: ReportResponse, line: Timeline, text: str) -> str:
    return page.render(replaced(answer, text), replaced(line, text), live=True)


@pytest.mark.long
@TEXT
@given(TEXTS)
@example("\ud800")
def test_a_text_adds_no_element_and_no_attribute(answers: list[tuple[ReportResponse, Timeline]], text: str) -> None:
    for pair in answers:
        shown = rendered(*pair, text)
        check(shown)
        assert Structure(shown).elements == Structure(rendered(*pair, "x" * len(text))).elements
        assert shown.encode()
        assert "".join(set(shown) - {"\n", NARROW_SPACE}).isprintable()


@TEXT
@given(TEXTS)
@example("\ud800")
def test_a_text_adds_no_line_and_no_control_character_to_a_terminal(
    answers: list[tuple[ReportResponse, Timeline]], text: str
) -> None:
    lines = [escape_unprintable(line) for line in summary.lines(replaced(answers[0][0], text))]
    assert all(line.isprintable() for line in lines)
    assert len(lines) == len(list(summary.lines(replaced(answers[0][0], "x" * len(text)))))


@pytest.mark.long
@TEXT
@given(TEXTS.map(lambda text: text.encode("utf-8", "ignore").decode()))  # documents and profiles have no surrogates
@example('\\"\n\\n')
def test_a_text_adds_no_sample_to_the_metrics(whole: ScrapeInput, text: str) -> None:
    for accept, parse in (("", plain_text), ("application/openmetrics-text; version=1.0.0", open_metrics)):
        found = [
            sorted((sample.name, *sorted(sample.labels)) for family in parse(body) for sample in family.samples)
            for body in (scraped(whole, text, accept), scraped(whole, "x", accept))
        ]
        assert found[0] == found[1]


def scraped(whole: ScrapeInput, text: str, accept: str) -> str:
    report = replaced(whole.report, text)
    return Exposition(lambda: replace(whole, report=report)).render(accept)[0].decode()
