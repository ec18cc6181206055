"""Each check finds its fault, says where it is and what to do, and finds nothing in a healthy cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.doctor.checks import CHECKS, findings
from pilotfish.sidecar.doctor.findings import ClusterFinding, Level, is_problem
from pilotfish.sidecar.doctor.page import as_json, lines
from pilotfish.sidecar.doctor.snapshot import ClusterSnapshot
from tests.doctor import faults_of_installation, faults_of_models
from tests.doctor import healthy as cluster
from tests.doctor.changes import Fault, model_container
from tests.doctor.healthy import healthy, injected, named, plain_pod, service
from tests.support.examples import examples

FAULTS = [*faults_of_installation.FAULTS, *faults_of_models.FAULTS]


def found(snapshot: ClusterSnapshot, *levels: Level) -> list[ClusterFinding]:
    return [one for one in findings(snapshot) if one.level in (levels or tuple(Level))]


def test_a_healthy_cluster_has_no_problem() -> None:
    everything = found(healthy())
    assert [one for one in everything if one.level is not Level.OK] == []
    assert {one.check for one in everything} >= {"certificates", "injected", "rights", "services", "webhook"}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.check}: {fault.what}")
def test_a_fault_is_found_with_its_place_and_remedy(fault: Fault) -> None:
    _, check, level, where, what, remedy = fault
    everything = found(fault.change(healthy()))
    hits = [
        one
        for one in everything
        if (one.check, one.level) == (check, level) and what in one.what and where in one.where
    ]
    assert hits, [str(one) for one in everything if one.level is not Level.OK]
    assert remedy in hits[0].remedy
    assert all(one.remedy for one in everything if one.level is not Level.OK)


def test_the_faults_cover_every_check() -> None:
    assert {fault.check for fault in FAULTS} == {*CHECKS, "access"}


@pytest.mark.parametrize("label", ["false", None])
def test_a_pod_that_does_not_ask_is_no_problem(label: str | None) -> None:
    pod = plain_pod()
    namespaces = [named("models")]
    if label:
        pod["metadata"]["labels"]["pilotfish.dev/inject"] = label
        namespaces = [named("models", labels={"pilotfish.dev/inject": "all"})]
    snapshot = healthy(pods=[pod], namespaces=namespaces, modelmonitors=[])
    assert [one for one in found(snapshot) if one.check == "injected" and is_problem(one)] == []


def test_a_monitor_asks_for_the_pods_of_its_target() -> None:
    snapshot = healthy(pods=[plain_pod()], namespaces=[named("models")])
    assert [one.where for one in found(snapshot, Level.WARNING)] == ["models/deployment/loans"]


def test_the_reason_of_the_annotation_is_shown() -> None:
    pod = injected(plain_pod() | {"spec": {"containers": [{"name": "model", "image": "x"}]}})
    (warning,) = found(healthy(pods=[pod]), Level.WARNING)
    assert "not injected (no_ports)" in warning.what


def test_finished_pods_and_pods_that_end_do_not_count() -> None:
    done, ending = plain_pod(), plain_pod("loans-2")
    done["status"]["phase"] = "Succeeded"
    ending["metadata"]["deletionTimestamp"] = "2026-11-29T08:00:00Z"
    assert found(healthy(pods=[done, ending]), Level.WARNING, Level.ERROR) == []


def test_redirect_catches_a_service_that_uses_a_number() -> None:
    pod = injected(plain_pod())
    pod["metadata"]["annotations"]["pilotfish.dev/injection"] = '{"mode": "redirect"}'
    assert found(healthy(pods=[pod], services=[service(8000)]), Level.WARNING) == []


@pytest.mark.parametrize("text", ["", "[1]", "{" * 10_000, "null", '{"mode": 3}', "x" * 100_000, '{"mode": "none"}'])
def test_an_annotation_of_anybody_is_no_failure_of_a_check(text: str) -> None:
    pod = plain_pod()
    pod["metadata"]["annotations"] = {"pilotfish.dev/injection": text}
    assert "the check failed" not in str(found(healthy(pods=[pod])))


def test_a_check_that_fails_hides_no_other() -> None:
    snapshot = healthy(nodes=[{"metadata": {}, "status": {"nodeInfo": "x"}}])
    assert next(one.what for one in found(snapshot, Level.UNKNOWN)).startswith("the check failed: AttributeError")
    assert "webhook" in {one.check for one in found(snapshot)}


def test_values_of_variables_and_arguments_are_never_shown() -> None:
    secret = "s3cr3t-value"
    variables = [{"name": "TRUSTED_PROXIES", "value": secret}, {"name": "TOKEN", "value": secret}]
    snapshot = model_container(args=[f"--proxy-headers={secret}", secret], env=variables)(healthy())
    everything = found(snapshot)
    text = as_json(everything, snapshot, "host") + "\n".join(lines(everything, snapshot, "host"))
    assert "TRUSTED_PROXIES" in text
    assert secret not in text


WEIRD = st.sampled_from([None, 1, "x", [], {}, [1], {"a": 1}, True])


@given(st.sampled_from(sorted(cluster.objects())), st.data())
@settings(max_examples=examples(100))
def test_objects_of_any_shape_end_in_findings(kind: str, data: st.DataObject) -> None:
    item = copy.deepcopy(data.draw(st.sampled_from(cluster.objects()[kind] or [{}])))
    parent: Any = item
    for _ in range(6):
        keys = sorted(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            break
        key = data.draw(st.sampled_from(keys))
        if isinstance(parent[key], dict | list) and data.draw(st.booleans()):
            parent = parent[key]
            continue
        parent[key] = copy.deepcopy(data.draw(WEIRD))
        break
    snapshot = healthy(**{kind: [item]})
    assert "\n".join(lines(found(snapshot), snapshot, "host"))
