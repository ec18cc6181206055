"""Helm renders one ConfigMap per dashboard, with the JSON unchanged, and small enough for `kubectl apply`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from pilotfish.sidecar.dashboards.files import load
from tests.helm.render import CHART, SAID

ANNOTATION_LIMIT = 262_144  # bytes of all annotations of an object; client-side apply stores the object in one
HELM = [Path(SAID.read_text().strip()) / name for name in ("helm3", "helm4")] if SAID.exists() else []


@pytest.mark.real
@pytest.mark.skipif(not HELM, reason="no Helm: .ci/helm > build/helm")
@pytest.mark.parametrize("helm", HELM, ids=lambda path: path.name)
def test_the_chart_has_every_dashboard_with_the_labels_of_the_values(helm: Path) -> None:
    command = [
        str(helm),
        "template",
        "pilotfish",
        str(CHART),
        "--namespace",
        "system",
        "--set",
        "dashboards.enabled=true",
    ]
    chosen = ["--set", "dashboards.labels.team=ml", "--set", "dashboards.annotations.note=x"]
    done = subprocess.run([*command, *chosen], capture_output=True, text=True, check=True)
    found = {
        item["metadata"]["name"]: item
        for item in yaml.safe_load_all(done.stdout)
        if item and item["metadata"]["name"].startswith("pilotfish-dashboard-")
    }
    assert set(found) == {f"pilotfish-dashboard-{file.name}" for file in load()}
    for file in load():
        item = found[f"pilotfish-dashboard-{file.name}"]
        assert json.loads(item["data"][f"{file.name}.json"]) == file.content
        assert item["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert item["metadata"]["labels"]["team"] == "ml"
        assert item["metadata"]["annotations"] == {"grafana_folder": "Pilotfish", "note": "x"}
        assert len(json.dumps(json.dumps(item))) < ANNOTATION_LIMIT


@pytest.mark.real
@pytest.mark.skipif(not HELM, reason="no Helm: .ci/helm > build/helm")
def test_the_chart_has_no_dashboards_by_default() -> None:
    done = subprocess.run([HELM[0], "template", "pilotfish", CHART], capture_output=True, text=True, check=True)
    assert "pilotfish-dashboard-" not in done.stdout
