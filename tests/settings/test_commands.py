from __future__ import annotations

import json

import pytest

from pilotfish.sidecar import cli
from pilotfish.sidecar.settings.document import ModelMonitor
from pilotfish.sidecar.settings.environment import VARIABLES
from tests.generate import ROOT
from tests.settings.reference import settings


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
