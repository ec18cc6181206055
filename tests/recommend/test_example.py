"""docs/examples/resizing: the document and the values fit each other, and are valid."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import yaml

from pilotfish.sidecar.control.resize.plan import ResizePlan
from pilotfish.sidecar.settings.load import parse_resource

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/resizing"
README = (EXAMPLE / "README.md").read_text()


def test_the_document_is_valid_and_recommends_within_its_bounds() -> None:
    monitor = parse_resource((EXAMPLE / "monitor.yaml").read_bytes(), "monitor.yaml")
    assert (monitor.spec.mode, monitor.spec.target_ref is not None) == ("recommend", True)
    assert monitor.spec.resources is not None
    assert ResizePlan.of(monitor.spec.resources).resources.keys() == {"cpu", "memory"}


def test_the_values_give_the_right_in_the_namespace_of_the_document() -> None:
    values = yaml.safe_load((EXAMPLE / "values.yaml").read_text())
    jsonschema.Draft202012Validator(json.loads((ROOT / "helm/values.schema.json").read_text())).validate(values)
    document = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
    assert values["actNamespaces"] == [{"name": document["metadata"]["namespace"], "resize": True}]


def test_the_commands_name_the_objects_of_the_document() -> None:
    document = yaml.safe_load((EXAMPLE / "monitor.yaml").read_text())
    name, namespace = document["metadata"]["name"], document["metadata"]["namespace"]
    assert f"kubectl patch modelmonitor {name} -n {namespace} " in README
    (patch,) = re.findall(r"--patch '(.*)'", README)
    assert json.loads(patch) == {"spec": {"mode": "act"}}
