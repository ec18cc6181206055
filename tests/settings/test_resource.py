"""The schema of the resource, without an API server: it is structural, and the tests use all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from pilotfish.sidecar import cli
from pilotfish.sidecar.settings.crd import crd
from tests.generate import ROOT
from tests.settings.api import ONLY_PILOTFISH_REFUSES, ONLY_THE_SERVER_REFUSES, refusal
from tests.settings.resources import REFUSED, SPECS, parsed, resource

LOCAL_ONLY = {"spec.profiles[].path", "spec.retrain.webhook.urlFile", "spec.retrain.webhook.secretFile"}
LOCAL_ONLY |= {"spec.notify[].webhook.urlFile", "spec.notify[].webhook.secretFile"}


def schema() -> dict[str, Any]:
    """Return the schema in the CustomResourceDefinition."""
    (version,) = crd()["spec"]["versions"]
    found: dict[str, Any] = version["schema"]["openAPIV3Schema"]
    return found


def nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each schema in `node` with its path, such as spec.profiles[].url."""
    yield path, node
    for key, value in node.get("properties", {}).items():
        yield from nodes(value, f"{path}.{key}".lstrip("."))
    for key, mark in (("items", "[]"), ("additionalProperties", ".NAME")):
        if key in node:
            yield from nodes(node[key], path + mark)


def used(node: dict[str, Any], value: Any, path: str = "") -> Iterator[str]:
    """Yield the path in the schema of each part of `value`."""
    yield path
    if isinstance(value, list):
        for item in value:
            yield from used(node["items"], item, f"{path}[]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if "additionalProperties" in node:
                yield from used(node["additionalProperties"], item, f"{path}.NAME")
            elif "properties" in node:
                yield from used(node["properties"][key], item, f"{path}.{key}".lstrip("."))


def test_the_complete_resources_use_every_setting_of_the_schema() -> None:
    whole = schema()
    found = {path for spec in SPECS.values() for path in used(whole, resource(spec))}
    settings = {path for path, _ in nodes(whole["properties"]["spec"], "spec")}
    assert settings - found == LOCAL_ONLY


def test_every_part_of_the_schema_has_one_type_and_every_list_and_text_with_a_rule_has_a_bound() -> None:
    for path, node in nodes(schema()):
        assert ("type" in node) != ("x-kubernetes-int-or-string" in node), path
        assert not {"$ref", "oneOf", "allOf", "not"} & node.keys(), path
        assert ("items" in node) == ("x-kubernetes-list-type" in node), path
        if path.startswith("spec.") and node.get("type") == "object":
            closed = "properties" in node or "maxProperties" in node or "x-kubernetes-preserve-unknown-fields" in node
            assert closed, path


@pytest.mark.parametrize("name", SPECS)
def test_the_parser_accepts_each_complete_resource(name: str) -> None:
    assert parsed(resource(SPECS[name])).spec.target_ref is not None


@pytest.mark.parametrize("spec", [spec for spec, _ in REFUSED])
def test_the_parser_refuses_what_a_rule_refuses(spec: str) -> None:
    assert "$.spec" in refusal(resource(spec))


def test_schema_prints_what_a_cluster_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", "--crd"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["spec"]["names"]["shortNames"] == ["mm"]
    assert cli.main(["schema", "--policy"]) == 0
    printed = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [item["kind"] for item in printed] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] * 3


@pytest.mark.parametrize("words", [*ONLY_PILOTFISH_REFUSES, *ONLY_THE_SERVER_REFUSES])
def test_the_page_names_each_difference_between_parser_and_server(words: str) -> None:
    page = " ".join((ROOT / "docs/modelmonitor.md").read_text().split())
    assert words in page
