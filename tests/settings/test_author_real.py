"""The policy on authors of a ModelMonitor, in a real API server: who writes a monitor gains no rights by it."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest
import yaml

from tests.generate import ROOT
from tests.settings.api import Connection
from tests.settings.resources import HEAD, TARGET, resource
from tests.support.cluster import ControlPlane
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

POLICY = ROOT / "helm/files/modelmonitor-author.yaml"
MODEL_MONITORS = {"apiGroups": ["pilotfish.dev"], "resources": ["modelmonitors"], "verbs": ["create", "update", "get"]}
JOBS = {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]}


def get(group: str, plural: str, name: str) -> dict[str, Any]:
    """Return the rule that grants reading one object."""
    return {"apiGroups": [group], "resources": [plural], "resourceNames": [name], "verbs": ["get"]}


def signed(secret: str) -> str:
    """Return a webhook that signs with a Secret."""
    return f"{{url: 'https://{secret}.example', secretRef: {{name: {secret}}}}}"


KSERVE, SCALING = "serving.kserve.io/v1beta1", "{maxReplicas: 3, signals: [{type: concurrency, target: 8}]}"
URL = "url: 'https://a.example'"
# a spec; and, for each right that its author needs, the rule that grants it and the end of the refusal without it
RIGHTS: dict[str, tuple[str, list[tuple[dict[str, Any], str]]]] = {
    "job": (
        "{mode: observe, retrain: {job: {cronJob: train}}}",
        [
            (JOBS, "spec.retrain.job: .* create jobs.batch"),
            (get("batch", "cronjobs", "train"), "spec.retrain.job.cronJob: .* get cronjobs.batch train"),
        ],
    ),
    "workflow": (
        "{retrain: {argoWorkflow: {workflowTemplate: train}}}",
        [
            (
                {"apiGroups": ["argoproj.io"], "resources": ["workflows"], "verbs": ["create"]},
                "spec.retrain.argoWorkflow: .* create workflows.argoproj.io",
            ),
            (get("argoproj.io", "workflowtemplates", "train"), "get workflowtemplates.argoproj.io train"),
        ],
    ),
    "pipeline": (
        "{retrain: {tektonPipelineRun: {pipeline: train}}}",
        [
            (
                {"apiGroups": ["tekton.dev"], "resources": ["pipelineruns"], "verbs": ["create"]},
                "spec.retrain.tektonPipelineRun: .* create pipelineruns.tekton.dev",
            ),
            (get("tekton.dev", "pipelines", "train"), "get pipelines.tekton.dev train"),
        ],
    ),
    "secrets": (
        f"{{retrain: {{webhook: {signed('one')}}}, notify: [{{webhook: {{{URL}}}}}, {{webhook: {signed('two')}}}]}}",
        [
            (get("", "secrets", "one"), "secretRef or urlSecretRef: .* get secrets one"),
            (get("", "secrets", "two"), "secretRef or urlSecretRef: .* get secrets two"),
        ],
    ),
    "secrets with URLs": (
        "{retrain: {webhook: {urlSecretRef: {name: one}}}, notify: [{webhook: {urlSecretRef: {name: two}}}]}",
        [
            (get("", "secrets", "one"), "urlSecretRef: .* get secrets one"),
            (get("", "secrets", "two"), "urlSecretRef: .* get secrets two"),
        ],
    ),
    "configmaps": (
        "{profiles: [{version: '1', configMap: first}, {version: '2', learn: {}}, {version: '3', configMap: second}]}",
        [
            (get("", "configmaps", "first"), "spec.profiles: .* get configmaps first"),
            (get("", "configmaps", "second"), "spec.profiles: .* get configmaps second"),
        ],
    ),
    "scaling": (
        "{scaling: {maxReplicas: 3, signals: [{type: concurrency, target: 8}]}}",
        [
            (
                {
                    "apiGroups": ["apps"],
                    "resources": ["deployments/scale"],
                    "resourceNames": ["delays"],
                    "verbs": ["update"],
                },
                "spec.scaling: .* update scale of deployments delays",
            )
        ],
    ),
    "scaling of KServe": (
        f"{{targetRef: {{apiVersion: {KSERVE}, kind: InferenceService, name: fares}}, scaling: {SCALING}}}",
        [
            (
                {
                    "apiGroups": ["serving.kserve.io"],
                    "resources": ["inferenceservices"],
                    "resourceNames": ["fares"],
                    "verbs": ["patch"],
                },
                "spec.scaling: .* patch inferenceservices fares",
            )
        ],
    ),
    "scaling by another autoscaler": (
        "{scaling: {maxReplicas: 3, surface: metric, signals: [{type: concurrency, target: 8}]}}",
        [],
    ),
    "resources": (
        "{resources: {container: a, cpu: {min: 1, max: 2}}}",
        [
            (
                {"apiGroups": [""], "resources": ["pods/resize"], "verbs": ["patch"]},
                "spec.resources: .* patch pods/resize",
            )
        ],
    ),
    "resources by a rollout": (
        "{resources: {container: a, method: rollout, cpu: {min: 1, max: 2}}}",
        [
            (
                {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["delays"], "verbs": ["patch"]},
                "spec.resources: .* patch deployments delays",
            )
        ],
    ),
}


def _is_refused(author: Connection, spec: str, pattern: str) -> bool:
    return re.search(pattern, author.create(resource(spec)).refusal) is not None


@pytest.fixture(scope="module")
def governed(plane: ControlPlane) -> ControlPlane:
    """A control plane with the resource and the policy, once it is in force."""
    plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", POLICY)
    namespace = plane.namespace()
    plane.account(namespace, "nobody", [MODEL_MONITORS])
    nobody = Connection(plane, namespace, plane.token(namespace, "nobody"))
    for name, (spec, _) in ((name, found) for name, found in RIGHTS.items() if found[1]):
        refused = partial(_is_refused, nobody, spec, "ValidatingAdmissionPolicy")
        wait_until(refused, timeout=60, what=f"the policy on {name}")
    return plane


@pytest.mark.parametrize("name", RIGHTS)
def test_an_author_needs_each_right_that_the_document_uses(governed: ControlPlane, name: str) -> None:
    spec, needed = RIGHTS[name]
    namespace = governed.namespace()
    for index, (_, message) in enumerate(needed):
        others = [rule for place, (rule, _) in enumerate(needed) if place != index]
        author = account(governed, namespace, f"without-{index}", others)
        wait_until(partial(_is_refused, author, spec, message), timeout=30, what=message)
    author = account(governed, namespace, "with-all", [rule for rule, _ in needed])
    wait_until(lambda: author.create(resource(spec)).refusal == "", timeout=30)
    assert account(governed, namespace, "with-none", []).create(resource("{}")).refusal == ""


def test_the_role_in_the_documentation_is_all_that_its_monitor_needs(governed: ControlPlane) -> None:
    page = (ROOT / "docs/modelmonitor.md").read_text()
    blocks = [yaml.safe_load(block) for block in re.findall(r"(?ms)^```yaml\n(.*?)^```", page)]
    (monitor,), (role,) = ([one for one in blocks if one["kind"] == kind] for kind in ("ModelMonitor", "Role"))
    author = account(governed, governed.namespace(), "team", role["rules"][1:])
    body = {**HEAD, "spec": monitor["spec"]}
    wait_until(lambda: author.create(body).refusal == "", timeout=30)
    for number in range(1, len(role["rules"])):
        rules = [rule for place, rule in enumerate(role["rules"]) if place not in {0, number}]
        less = account(governed, author.namespace, f"team-{number}", rules)
        assert "may not do this" in less.create(body).refusal


def account(plane: ControlPlane, namespace: str, name: str, granted: list[dict[str, Any]]) -> Connection:
    """Return a connection of a service account that may write monitors, and what `granted` says."""
    plane.account(namespace, name, [MODEL_MONITORS, *granted])
    author = Connection(plane, namespace, plane.token(namespace, name))
    wait_until(lambda: "cannot create resource" not in author.create(resource("{}")).refusal, timeout=30)
    return author


def test_an_author_with_many_objects_needs_each_or_all_of_them(governed: ControlPlane) -> None:
    namespace = governed.namespace()
    profiles = [{"version": str(number), "configMap": f"p{number}"} for number in range(24)]
    each = [get("", "configmaps", f"p{number}") for number in range(24)]
    author = account(governed, namespace, "each", each)
    body = {**HEAD, "spec": {**TARGET, "profiles": profiles}}
    wait_until(lambda: author.create(body).refusal == "", timeout=30)
    body["spec"]["profiles"] = [*profiles, {"version": "25", "configMap": "p0"}]
    assert "get all configmaps, as the document names more than 24" in author.create(body).refusal
    every = account(governed, namespace, "every", [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}])
    wait_until(lambda: every.create(body).refusal == "", timeout=30)


def test_the_expressions_of_the_policy_fit_the_schema_of_the_resource(governed: ControlPlane) -> None:
    def checked() -> list[dict[str, Any]]:
        found = json.loads(governed.kubectl("get", "validatingadmissionpolicies", "-o", "json"))["items"]
        return [item.get("status", {}) for item in found if item["metadata"]["name"].startswith("modelmonitor-author")]

    wait_until(lambda: all("typeChecking" in status for status in checked()), timeout=30)
    assert [status["typeChecking"] for status in checked()] == [{}, {}, {}]


def test_who_may_only_write_monitors_can_pause_one_but_not_change_what_it_does(governed: ControlPlane) -> None:
    namespace, write = governed.namespace(), {**MODEL_MONITORS, "verbs": ["get", "patch", "update"]}
    governed.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(resource(RIGHTS["job"][0])))
    config = governed.account(namespace, "editor", [write])
    as_editor = ("--kubeconfig", config, "-n", namespace)
    wait_until(
        lambda: succeeds(governed, *as_editor, "annotate", "mm", "delays", "pilotfish.dev/paused=true"), timeout=30
    )
    change = ("patch", "mm", "delays", "--type=merge", "-p", '{"spec": {"mode": "act"}}')
    with pytest.raises(AssertionError, match=r"editor may not do this .* create jobs.batch"):
        governed.kubectl(*as_editor, *change)


def succeeds(plane: ControlPlane, *arguments: Any) -> bool:
    """Return whether kubectl succeeds."""
    try:
        plane.kubectl(*arguments)
    except AssertionError:
        return False
    return True
