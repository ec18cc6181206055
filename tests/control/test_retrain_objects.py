"""The objects of retrainings as values: what they contain, and what their status means."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.cluster import OBJECTS
from pilotfish.sidecar.control.retrain.argo import workflow_of, workflow_state
from pilotfish.sidecar.control.retrain.job import job_of, job_state
from pilotfish.sidecar.control.retrain.objects import Owner, event_of, object_name
from pilotfish.sidecar.control.retrain.parameters import ParameterError, expand
from pilotfish.sidecar.control.retrain.record import ObjectState
from pilotfish.sidecar.control.retrain.tekton import pipeline_run_of, pipeline_run_state
from pilotfish.sidecar.control.retrain.watcher import KINDS
from pilotfish.sidecar.settings.retraining import ArgoWorkflowTarget, TektonPipelineRunTarget
from tests.control.retraining import OWNER, cron_job, intent_for

CRON_JOB = cron_job("flights") | {"metadata": {"name": "train-delays", "namespace": "flights", "uid": "c1"}}
INTENT = intent_for()


def test_executors_and_kinds_are_alphabetical_tables() -> None:
    assert list(OBJECTS) == sorted(OBJECTS)
    assert list(KINDS) == sorted(KINDS)
    assert {kind for kind, _, _ in OBJECTS.values()} == set(KINDS)


def test_a_job_is_what_kubectl_makes_of_the_template_with_the_event_in_each_container() -> None:
    job = job_of(CRON_JOB, OWNER, INTENT)
    metadata, pod = job["metadata"], job["spec"]["template"]
    assert metadata["name"] == f"delays-{INTENT.id}"
    assert metadata["labels"] == {"team": "ml", "pilotfish.dev/intent": INTENT.id}
    assert metadata["annotations"].items() >= {"cronjob.kubernetes.io/instantiate": "manual", "owner": "anna"}.items()
    (owner,) = metadata["ownerReferences"]
    assert owner == {"apiVersion": "batch/v1", "kind": "CronJob", "name": "train-delays", "uid": "c1"}
    assert (job["spec"]["backoffLimit"], pod["metadata"]["labels"]) == (2, {"app": "train"})
    assert pod["metadata"]["annotations"]["pilotfish.dev/event"] == INTENT.desired
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        names = [variable["name"] for variable in container["env"]]
        assert len(names) == len(set(names))
        values = {variable["name"]: variable.get("value") for variable in container["env"]}
        assert (values["PILOTFISH_MODEL"], values["PILOTFISH_EPISODE"]) == ("delays", "e1")
        assert values["PILOTFISH_EVENT_ID"] == INTENT.id
    assert "DATA" in {variable["name"] for variable in pod["spec"]["containers"][0]["env"]}
    assert CRON_JOB["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] == "old"


@pytest.mark.parametrize(("given", "expected"), [(0, 3600), (3600, 3600), (9000, 9000)])
def test_an_object_that_has_ended_is_kept_for_an_hour_at_least(given: int, expected: int) -> None:
    short = deepcopy(CRON_JOB)
    short["spec"]["jobTemplate"]["spec"]["ttlSecondsAfterFinished"] = given
    assert job_of(short, OWNER, INTENT)["spec"]["ttlSecondsAfterFinished"] == expected
    assert "ttlSecondsAfterFinished" not in job_of(CRON_JOB, OWNER, INTENT)["spec"]
    target = ArgoWorkflowTarget(workflow_template="t")
    found = workflow_of(target, OWNER, INTENT, {"spec": {"ttlStrategy": {"secondsAfterSuccess": given}}})
    assert found["spec"]["ttlStrategy"] == {"secondsAfterSuccess": expected}
    assert "ttlStrategy" not in workflow_of(target, OWNER, INTENT, {"spec": {}})["spec"]


def test_a_variable_of_the_event_refers_to_no_other_variable() -> None:
    job = job_of(CRON_JOB, Owner("flights", "a$(DATA)", "u"), INTENT)
    values = {
        variable["name"]: variable.get("value") for variable in job["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert values["PILOTFISH_MONITOR"] == "a$$(DATA)"


@given(st.from_regex(r"[a-z0-9]([-a-z0-9.]{0,250}[a-z0-9])?", fullmatch=True))
def test_a_name_fits_a_label_whatever_the_monitor_is_called(name: str) -> None:
    found = object_name(Owner("n", name, "u"), INTENT)
    assert len(found) <= 63
    assert found.endswith(INTENT.id)
    assert found[0].isalnum()
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_workflow_and_a_pipeline_run_refer_to_their_template_and_get_parameters() -> None:
    target = ArgoWorkflowTarget(workflow_template="t", parameters={"model": "${event.data.model}", "rows": "10"})
    spec = workflow_of(target, OWNER, INTENT, {"spec": {}})["spec"]
    values = {item["name"]: item["value"] for item in spec["arguments"]["parameters"]}
    assert spec["workflowTemplateRef"] == {"name": "t"}
    assert values.items() >= {"model": "delays", "rows": "10", "pilotfish-cause": "drift"}.items()
    run = pipeline_run_of(
        TektonPipelineRunTarget(pipeline="p", service_account="trainer", parameters={"pilotfish-model": "other"}),
        OWNER,
        INTENT,
    )
    values = {item["name"]: item["value"] for item in run["spec"]["params"]}
    assert run["spec"]["pipelineRef"] == {"name": "p"}
    assert run["spec"]["taskRunTemplate"] == {"serviceAccountName": "trainer"}
    assert values["pilotfish-model"] == "other"
    assert json.loads(run["metadata"]["annotations"]["pilotfish.dev/event"]) == event_of(INTENT)


EVENT = {"id": "i", "data": {"model": "m", "n": 3, "detail": {"features": [{"name": "age"}]}, "none": None}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain ${other} $(x) {{y}}", "plain ${other} $(x) {{y}}"),
        ("${event.data.model}-${event.id}", "m-i"),
        ("${event.data.n} ${event.data.none}", "3 null"),
        ("${event.data.detail.features.0.name}", "age"),
        ("${event.data.detail}", '{"features":[{"name":"age"}]}'),
    ],
)
def test_a_parameter_may_refer_to_the_event(value: str, expected: str) -> None:
    assert expand(value, EVENT, "{{") == expected


@pytest.mark.parametrize("path", ["event.data.gone", "event.data.detail.features.1", "event.id.x"])
def test_a_parameter_that_refers_to_nothing_is_an_error_that_names_it(path: str) -> None:
    with pytest.raises(ParameterError, match=path.replace(".", r"\.")):
        expand(f"${{{path}}}", EVENT, "{{")


@given(st.text(alphabet='{$(a}\\"') | st.recursive(st.text(alphabet="{$("), lambda inner: st.lists(inner, max_size=3)))
def test_text_of_the_event_contains_no_expression_of_an_engine(value: Any) -> None:
    for opening in ("{{", "$("):
        found = expand("${event.data}", {"data": value}, opening)
        assert opening not in found
        if not isinstance(value, str):
            assert json.loads(found) == value


JOB_STATES = [
    ([], ObjectState("running")),
    ([{"type": "FailureTarget", "status": "True"}], ObjectState("running")),
    ([{"type": "Complete", "status": "True"}], ObjectState("succeeded")),
    ([{"type": "Failed", "status": "False"}], ObjectState("running")),
    (
        [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "too often"}],
        ObjectState("failed", "BackoffLimitExceeded: too often"),
    ),
]


@pytest.mark.parametrize(("conditions", "expected"), JOB_STATES)
def test_the_state_of_a_job(conditions: list[object], expected: ObjectState) -> None:
    assert job_state({"status": {"conditions": conditions}}) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ({}, ObjectState("running")),
        ({"phase": "Pending"}, ObjectState("running")),
        ({"phase": "Running", "message": "step 1"}, ObjectState("running")),
        ({"phase": "Succeeded"}, ObjectState("succeeded")),
        ({"phase": "Failed", "message": "child failed"}, ObjectState("failed", "child failed")),
        ({"phase": "Error", "message": "template not found"}, ObjectState("failed", "template not found")),
    ],
)
def test_the_state_of_a_workflow(status: dict[str, str], expected: ObjectState) -> None:
    assert workflow_state({"status": status}) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Unknown", ObjectState("running")),
        ("True", ObjectState("succeeded")),
        ("False", ObjectState("failed", "CouldntGetPipeline: no such pipeline")),
    ],
)
def test_the_state_of_a_pipeline_run(status: str, expected: ObjectState) -> None:
    found = {"type": "Succeeded", "status": status, "reason": "CouldntGetPipeline", "message": "no such pipeline"}
    assert pipeline_run_state({"status": {"conditions": [found]}}) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(("type", "status", "phase", "conditions", "message", "reason")), inner)
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_status_has_a_state(status: object) -> None:
    for kind in KINDS.values():
        assert kind.state({"status": status}).state in {"running", "succeeded", "failed"}
