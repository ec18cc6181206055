"""The section about resources on the report's page."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from pilotfish.sidecar.analyzer.http.report import build_response
from pilotfish.sidecar.report.blocks.resources import ResourceReport, ResourceSource
from pilotfish.sidecar.report.pages.resources import resources
from pilotfish.sidecar.report.response import ReportResponse
from tests.telemetry.made import reading


@pytest.fixture
def answer(tmp_path: Path) -> ReportResponse:
    found = reading(tmp_path / "page")
    return build_response(found.report, found)


def test_the_page_shows_use_cost_routes_and_idle(answer: ReportResponse) -> None:
    shown = resources(answer)
    for words in (
        "Source: local",
        "model server",
        "Cost of a prediction",
        "Resources by route",
        "<b>idle</b>",
        "2048 MiB",
    ):
        assert words in shown
    assert "&lt;i&gt;" in shown  # the currency of the document is a text of a user


def test_without_measurements_the_page_shows_the_source_and_the_reason(answer: ReportResponse) -> None:
    source = ResourceSource(kind="rules", reason="cluster", text="other containers are hidden")
    shown = resources(msgspec.structs.replace(answer, resources=ResourceReport(source=source, notes=("a note",))))
    assert "Source: rules. Other containers are hidden." in shown
    assert "a note" in shown
    assert "<table>" not in shown
    assert resources(msgspec.structs.replace(answer, resources=None)) == ""
