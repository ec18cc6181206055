"""The values: closed, documented, and one values file for each feature."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from tests.helm.render import CHART, ROOT, cases, chart_digest
from tests.helm.values import SCHEMA, leaves, properties

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def merged(base: Any, over: Any) -> Any:
    """Merge values as Helm does."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {key: merged(base.get(key), over[key]) if key in over else base[key] for key in {**base, **over}}
    return over


def objects_of(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each object in a schema with its path."""
    if schema.get("type") == "object":
        yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from objects_of(inner, f"{path}.{name}")
    if "items" in schema:
        yield from objects_of(schema["items"], f"{path}[]")


def test_an_unknown_value_is_an_error_at_each_level() -> None:
    # Objects of Kubernetes are open here: the API server checks them.
    foreign = {".node.tolerations[]", ".scheduling.affinity", ".scheduling.tolerations[]", ".global"}
    for path, schema in objects_of(VALIDATOR.schema):
        assert "additionalProperties" in schema or path in foreign, path


def test_every_value_says_what_it_does() -> None:
    for path, schema in leaves(properties()):
        assert schema["description"].endswith("."), path


def test_the_defaults_are_valid() -> None:
    VALIDATOR.validate(VALUES)


@pytest.mark.parametrize("name", cases())
def test_a_values_file_of_a_feature_is_valid(name: str) -> None:
    VALIDATOR.validate(merged(VALUES, yaml.safe_load((CHART / f"ci/{name}-values.yaml").read_text())))


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 3},
        {"control": {"replica": 3}},
        {"control": {"replicas": "3"}},
        {"control": {"prometheus": {"url": "prometheus:9090"}}},
        {"control": {"prometheus": {"url": "http://prometheus:9090/?tenant=a"}}},
        {"control": {"resources": {"limits": {"memory": "1Gi"}}}},
        {"sidecar": {"proxy": {"resources": {"requests": {"cpu": "1"}}}}},
        {"image": {"digest": "sha256:12"}},
        {"injector": {"failurePolicy": "fail"}},
        {"actNamespaces": ["flights"]},
        {"actNamespaces": [{"name": "flights", "retrain": ["jobs"]}]},
        {"actNamespaces": [{"name": "flights", "scale": [{"apiGroup": "apps", "resource": "deployments"}]}]},
        {"actNamespaces": [{"name": "flights", "scale": [{"apiGroup": "apps", "resource": "*", "names": ["a"]}]}]},
        {"actNamespaces": [{"name": "flights", "scale": [{"apiGroup": "apps", "resource": "pods", "names": []}]}]},
        {"sidecar": {"analyzer": {"memory": "512"}}},
    ],
    ids=json.dumps,
)
def test_a_wrong_value_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(values)


def test_every_value_is_used_by_a_template() -> None:
    templates = "".join(path.read_text() for path in CHART.rglob("templates/**/*") if path.is_file())
    for path, _ in leaves(properties()):
        name = path.rpartition(".")[2]
        assert re.search(rf'[.]{name}\b|"{name}"', templates) or path.startswith("dashboards."), path


def test_the_chart_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == chart["version"] == version


def test_the_renderings_are_of_this_chart() -> None:
    remedy = "the chart changed after it was rendered: run `make chart`, and commit what it writes"
    assert (ROOT / "tests/helm/rendered/chart.sha256").read_text() == chart_digest(), remedy
