"""ModelMonitor as a resource of a real API server: the schema, its rules, and the policy on authors."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

import msgspec
import pytest
import yaml

from pilotfish.sidecar.control.conditions import CONDITIONS
from pilotfish.sidecar.settings.crd import crd
from pilotfish.sidecar.settings.load import parse
from pilotfish.sidecar.settings.status import (
    Condition,
    EpisodeSummary,
    ModelMonitorStatus,
    PodsStatus,
    ProfileStatus,
    ReplicasStatus,
    ResourceAmounts,
    ResourcesStatus,
    RetrainingStatus,
)
from tests.analyzer.profile_mutants import mutants, transplants
from tests.generate import ROOT
from tests.settings.api import ONLY_PILOTFISH_REFUSES, ONLY_THE_SERVER_REFUSES, Connection, refusal
from tests.settings.resources import HEAD, REFUSED, SPECS, TARGET, parsed, resource
from tests.support.cluster import ControlPlane

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]
SCALED = (
    "{mode: act, model: {name: flights}, "
    "scaling: {mode: recommend, maxReplicas: 4, signals: [{type: concurrency, target: 8}]}}"
)
EVERY = 2  # every second mutant is sent to the server


@pytest.mark.parametrize("name", SPECS)
def test_a_resource_is_accepted_and_means_the_same_with_the_defaults_of_the_server(
    server: Connection, name: str
) -> None:
    body = resource(SPECS[name])
    answer = server.create(body)
    assert answer.refusal == ""
    assert parsed(answer.stored).spec == parsed(body).spec


@pytest.mark.parametrize(("spec", "message"), REFUSED, ids=[spec for spec, _ in REFUSED])
def test_a_broken_rule_is_refused_with_its_message(server: Connection, spec: str, message: str) -> None:
    assert message in server.create(resource(spec)).refusal


def test_every_rule_refuses_a_document(server: Connection) -> None:
    refusals = " ".join(server.create(resource(spec)).refusal for spec, _ in REFUSED)
    assert [rule for rule in rules(crd()) if rule not in refusals] == []


def rules(schema: Any) -> Iterator[str]:
    """Yield the message of each rule in `schema`."""
    if isinstance(schema, dict):
        yield from (rule["message"] for rule in schema.get("x-kubernetes-validations", ()))
        for value in schema.values():
            yield from rules(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from rules(value)


def difference(server: Connection, body: dict[str, Any]) -> tuple[list[str], str]:
    """Return the known differences that explain why only one of parser and server refuses `body`, and the refusal."""
    answer, problem = server.create(body), refusal(body)
    if bool(answer.refusal) == bool(problem):
        if not problem:
            assert parsed(answer.stored).spec == parsed(body).spec
        return [], ""
    known = ONLY_PILOTFISH_REFUSES if problem else ONLY_THE_SERVER_REFUSES
    only = problem or answer.refusal
    return [words for words, fits in known.items() if fits(only)], only


def test_server_and_parser_refuse_the_same_documents_but_for_the_listed_differences(server: Connection) -> None:
    found, unknown = set[str](), []
    for name, spec in SPECS.items():
        for what, mutant in islice(mutants({"spec": resource(spec)["spec"]}), 0, None, EVERY):
            names, only = difference(server, {**HEAD, **mutant})
            found.update(names)
            if only and not names:
                unknown.append((name, what, only))
    assert unknown == []
    assert {*ONLY_PILOTFISH_REFUSES, *ONLY_THE_SERVER_REFUSES} - found == set()


@pytest.mark.parametrize("name", SPECS)
def test_server_and_parser_agree_on_values_of_other_places(server: Connection, name: str) -> None:
    unknown = []
    for what, mutant in islice(transplants({"spec": resource(SPECS[name])["spec"]}, random.Random(7)), 200):
        names, only = difference(server, {**HEAD, **mutant})
        if only and not names:
            unknown.append((what, only))
    assert unknown == []


def test_a_misspelt_setting_is_refused_with_its_path(plane: ControlPlane) -> None:
    body = resource("{scaling: {maxReplicas: 3, signals: [{type: concurrency, target: 8}], behavior: {scaleDwn: {}}}}")
    with pytest.raises(AssertionError, match=r'unknown field "spec.scaling.behavior.scaleDwn"'):
        plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(body))


def test_a_resource_without_a_target_is_refused(server: Connection) -> None:
    assert "spec.targetRef: Required value" in server.create({**HEAD, "spec": {}}).refusal
    assert "spec: Required value" in server.create(HEAD).refusal


def documents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each complete document in docs/, with the page that shows it."""
    pages = [*(ROOT / "docs").glob("*.md"), ROOT / "README.md", *(ROOT / "docs/examples").rglob("*.yaml")]
    for page in sorted(pages):
        text = page.read_text()
        blocks = [text] if page.suffix == ".yaml" else re.findall(r"(?ms)^```yaml\n(.*?)^```", text)
        for block in blocks:
            if "kind: ModelMonitor\n" in block:
                for document in filter(None, yaml.safe_load_all(block)):
                    if document["kind"] == "ModelMonitor":
                        yield str(page.relative_to(ROOT)), document


def for_a_cluster(document: dict[str, Any]) -> dict[str, Any]:
    """Return a document for a file as a resource, changed as docs/modelmonitor.md says."""
    spec = {**TARGET, **document["spec"]}
    names = {"path": "configMap", "urlFile": "url", "secretFile": "secretRef"}
    values = {"path": "profile", "urlFile": "https://chat.example/x", "secretFile": {"name": "hmac"}}

    def changed(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {names.get(key, key): values.get(key, changed(value)) for key, value in tree.items()}
        return [changed(value) for value in tree] if isinstance(tree, list) else tree

    return {**document, "metadata": {"name": document["metadata"]["name"]}, "spec": changed(spec)}


def test_every_document_of_the_documentation_is_accepted(server: Connection) -> None:
    found = list(documents())
    assert {page for page, _ in found} >= {"docs/modelmonitor.md", "docs/configuration.md"}
    for page, document in found:
        if "targetRef" in document["spec"]:
            body = {**document, "metadata": {"name": document["metadata"]["name"]}}
        else:
            parse(json.dumps(document).encode(), page, {}, cluster=False)
            body = for_a_cluster(document)
        assert (page, server.create(body).refusal) == (page, "")


def test_kubectl_shows_the_status_that_the_controller_writes(plane: ControlPlane) -> None:
    namespace, time = plane.namespace(), "2026-11-29T05:00:00Z"
    plane.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(resource(SCALED)))
    conditions = tuple(
        Condition(type=name, status="True", reason=kind.true[0].camel, last_transition_time=time, observed_generation=1)
        for name, kind in CONDITIONS.items()
    )
    retraining = RetrainingStatus(kind="Job", name="train-1", state="running")
    episode = EpisodeSummary(id="e1", cause="drift", opened_at=time, retraining=retraining)
    status = ModelMonitorStatus(
        observed_generation=1,
        conditions=conditions,
        episodes=(episode,),
        pods=PodsStatus(heard=0, expected=3),
        profile=ProfileStatus(hash="ab"),
        replicas=ReplicasStatus(current=2, desired=4, reason="Cooldown"),
        resources=(
            ResourcesStatus(
                container="model",
                target=ResourceAmounts(cpu="476m", memory="363Mi"),
                confidence=0.25,
                withheld=("cpu",),
                reason="HorizontalOwnsCpu",
                last_resize_time=time,
            ),
        ),
    )
    patch = json.dumps({"status": msgspec.to_builtins(status)})
    plane.kubectl("-n", namespace, "patch", "mm", "delays", "--subresource=status", "--type=merge", "-p", patch)
    stored = json.loads(plane.kubectl("-n", namespace, "get", "mm", "delays", "-o", "json"))
    assert msgspec.convert(stored["status"], ModelMonitorStatus) == status
    head, row = plane.kubectl("-n", namespace, "get", "pilotfish", "-o", "wide").splitlines()
    assert head.split() == [
        "NAME", "MODEL", "MODE", "READY", "DRIFTED", "REPLICAS", "DESIRED", "HEARD", "EXPECTED", "RETRAINING",
        "SCALINGMODE", "SCALING", "CPU", "MEMORY", "RESIZING", "REASON", "AGE",
    ]  # fmt: skip
    assert row.split()[:-1] == [
        "delays", "flights", "act", "True", "True", "2", "4", "0", "3", "True", "recommend", "Cooldown", "476m",
        "363Mi", "HorizontalOwnsCpu", conditions[0].reason,
    ]  # fmt: skip
    assert "newest first" in plane.kubectl("explain", "mm.status.episodes")
