"""Workloads: names on the command line, names of past pods, and the resources that most pods have."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.recommend.workload import KINDS, MeasuredWorkload, parse_workload
from pilotfish.sidecar.settings.document import TargetRef
from tests.recommend.made import MODEL, pod, workload
from tests.support.examples import examples


@pytest.mark.parametrize(
    ("text", "api_version", "kind"),
    [
        ("deployment/delays", "apps/v1", "Deployment"),
        ("Deployments/delays", "apps/v1", "Deployment"),
        ("deploy/delays", "apps/v1", "Deployment"),
        ("deployment.apps/delays", "apps/v1", "Deployment"),
        ("sts/delays", "apps/v1", "StatefulSet"),
        ("isvc/delays", "serving.kserve.io/v1beta1", "InferenceService"),
    ],
)
def test_a_workload_is_named_as_for_kubectl(text: str, api_version: str, kind: str) -> None:
    assert parse_workload(text) == TargetRef(api_version=api_version, kind=kind, name="delays")


@pytest.mark.parametrize("text", ["delays", "deployment/", "/delays", "pod/delays", "deployment/a/b", ""])
def test_another_word_is_refused_with_the_kinds(text: str) -> None:
    with pytest.raises(UsageError, match=r"give KIND/NAME; the kinds are daemonset, deployment, "):
        parse_workload(text)


@given(st.text(max_size=20))
@settings(max_examples=examples(200))
def test_any_text_is_a_workload_or_a_usage_error(text: str) -> None:
    try:
        assert (parse_workload(text).api_version, parse_workload(text).kind) in KINDS.values()
    except UsageError:
        return


@pytest.mark.parametrize(
    ("kind", "mine", "others"),
    [
        ("Deployment", ["a.b-7d9f8c-x2x4z", "a.b-5-zzzzz"], ["a.b-x2x4z", "axb-7d9f8c-x2x4z", "a.b-c-7d9f8c-x2x4z"]),
        ("StatefulSet", ["a.b-0", "a.b-12"], ["a.b-x", "a.b-c-0"]),
        ("DaemonSet", ["a.b-x2x4z"], ["a.b-7d9f8c-x2x4z", "a.b"]),
        ("InferenceService", ["a.b-predictor-7d9f8c-x2x4z"], ["a.b-transformer-7d9f8c-x2x4z"]),
        ("Job", ["odd"], ["a.b-x2x4z"]),
    ],
)
def test_past_pods_are_recognised_by_their_names(kind: str, mine: list[str], others: list[str]) -> None:
    odd = {"metadata": {"name": "odd"}}
    found = MeasuredWorkload("shop", TargetRef(api_version="v1", kind=kind, name="a.b"), [odd]).pod_name_pattern()
    for name in [*mine, "odd"]:
        assert re.fullmatch(found, name), name
    for name in others:
        assert not re.fullmatch(found, name), name


def test_the_resources_are_those_that_most_pods_have_and_short_init_containers_have_none() -> None:
    made = workload(pods=3)
    resized = pod(5, {"requests": {"cpu": "1"}})
    found = MeasuredWorkload("shop", made.target, [*made.pods, resized]).containers()
    assert [(one.name, one.is_init, one.is_own) for one in found] == [
        ("model", False, False),
        ("pilotfish-proxy", True, True),
    ]
    assert found[0].resources == MODEL
