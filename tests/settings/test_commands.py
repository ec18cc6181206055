from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.settings.document import ModelMonitor
from pilotfish.sidecar.settings.environment import VARIABLES
from tests.generate import ROOT
from tests.settings.reference import settings
from tests.settings.test_document import HEAD, WHOLE


def write(folder: Path, text: str) -> str:
    path = folder / "monitor.yaml"
    path.write_text(text)
    return str(path)


def test_check_shows_the_settings_in_force_and_marks_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", "-f", write(tmp_path, WHOLE)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["spec.drift.tick", "60s", "default"] in lines
    assert ["spec.resources.cpu.min", "250m"] in lines
    assert ["spec.drift.features.a.b.tolerance", "0.01"] in lines


def test_check_converts_the_budget_to_a_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["check", "-f", write(tmp_path, HEAD)])
    assert "at most 1 false alarm in 30d: the threshold for evidence is 43,200" in capsys.readouterr().out


def test_check_lists_missing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there.json").write_text("{}")
    cli.main(
        [
            "check",
            "-f",
            write(tmp_path, f"{HEAD}spec: {{profiles: [{{path: there.json}}, {{version: '2', path: no.json}}]}}"),
        ]
    )
    said = capsys.readouterr().out
    assert "there.json yet" not in said
    assert "no.json yet" in said


def test_check_of_a_bad_document_exits_1_with_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", "-f", write(tmp_path, f"{HEAD}spec: {{mode: x, trafic: 1}}")]) == 1
    said = capsys.readouterr().err
    assert "2 problems" in said
    assert "$.spec.mode" in said
    assert "did you mean traffic?" in said


def test_schema_prints_a_closed_schema_with_defaults_as_in_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    drift = schema["$defs"]["Drift"]
    assert drift["additionalProperties"] is False
    assert drift["properties"]["tick"]["default"] == "60s"
    assert "string" in drift["properties"]["tick"]["type"]


def test_every_setting_and_every_variable_is_documented() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    for path, _, _, meaning in settings(ModelMonitor):
        assert f"`{path}`" in page
        assert meaning, path
    for name in VARIABLES:
        assert f"`{name}`" in page
