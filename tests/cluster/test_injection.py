"""Models on a node with the chart: measured in each mode, and no request is lost while their pods roll."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import loans
from tests.cluster.injected import Models, injection, metric
from tests.cluster.load import load
from tests.cluster.model import NAME
from tests.cluster.release import Release
from tests.support.node.node import Node
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.node, pytest.mark.usefixtures("release")]
MODES: dict[str, str | int] = {"port": "http", "move": 8000, "redirect": 8000}


@pytest.fixture
def models(cluster: Node, namespace: str, release: Release) -> Models:
    """The models of a namespace that has not opted in."""
    return Models(cluster, namespace)


@pytest.mark.parametrize("mode", MODES)
def test_pods_roll_under_load_and_no_request_is_lost_to_pilotfish(models: Models, mode: str, tmp_path: Path) -> None:
    deployment = loans.deployment()
    deployment["spec"]["template"]["metadata"]["annotations"]["pilotfish.dev/interception"] = mode
    models.deploy(tmp_path, deployment, MODES[mode])
    with load(models.cluster, models.namespace, NAME) as without:
        models.roll()
        models.roll()
    assert not any(injection(pod) for pod in models.pods())

    models.opt(into=True)
    with load(models.cluster, models.namespace, NAME) as joining:
        models.roll()
        pods = models.pods()
        assert [injection(pod)["mode"] for pod in pods] == [mode, mode], [injection(pod) for pod in pods]
        models.roll()
        joining.more()
        for pod in models.pods():
            wait_until(lambda pod=pod: metric(pod, "pilotfish_requests_total") > 0, timeout=30, what="measured traffic")  # type: ignore[misc]
    models.opt(into=False)
    with load(models.cluster, models.namespace, NAME) as leaving:
        models.roll()
    assert joining.result.failed + leaving.result.failed <= without.result.failed, (
        without.result,
        joining.result,
        leaving.result,
    )
    assert not any(injection(pod) for pod in models.pods())


def test_a_restricted_namespace_with_named_probes_and_a_guaranteed_pod(models: Models, tmp_path: Path) -> None:
    level = "pod-security.kubernetes.io/enforce=restricted"
    models.cluster.plane.kubectl("label", "namespace", models.namespace, level)
    models.opt(into=True)
    same = {"cpu": "100m", "memory": "256Mi"}
    # with a tenth of a core, the model takes half a minute to start on an idle machine
    named = {"httpGet": {"path": "/openapi.json", "port": "http"}, "periodSeconds": 1, "failureThreshold": 300}
    deployment = loans.deployment(resources={"requests": same, "limits": same}, startupProbe=named)
    deployment["spec"]["replicas"] = 1  # of 850m, with the sidecars: a node with two cores has no room for another
    models.deploy(tmp_path, deployment, 8000)
    for pod in models.pods():
        assert injection(pod)["mode"] == "move", injection(pod)
        assert pod["status"]["qosClass"] == "Guaranteed"
    with load(models.cluster, models.namespace, NAME) as clients:
        clients.more()
    assert clients.result.failed == 0, clients.result


def test_no_sidecar_gets_the_token_of_the_pods_service_account(models: Models, tmp_path: Path) -> None:
    """The API server adds it after the webhook."""
    models.opt(into=True)
    deployment = loans.deployment()
    deployment["spec"]["template"]["spec"]["automountServiceAccountToken"] = True
    models.deploy(tmp_path, deployment, "http")
    for pod in models.pods():
        containers = [*pod["spec"]["initContainers"], *pod["spec"]["containers"]]
        mounts = {
            item["name"]: {mount["mountPath"]: mount["name"] for mount in item["volumeMounts"]} for item in containers
        }
        tokens = {name: found["/var/run/secrets/kubernetes.io/serviceaccount"] for name, found in mounts.items()}
        own = tokens.pop("model")
        assert own.startswith("kube-api-access")
        assert tokens == {"pilotfish-proxy": "pilotfish-no-token", "pilotfish-analyzer": "pilotfish-no-token"}


def test_a_quota_without_room_for_the_sidecars_does_not_stop_the_model(models: Models, tmp_path: Path) -> None:
    models.kubectl("create", "quota", "team", "--hard=requests.cpu=130m")
    models.opt(into=True)
    models.deploy(tmp_path, loans.deployment(resources={"requests": {"cpu": "40m", "memory": "128Mi"}}), "http")
    assert {"quota"} == {injection(pod)["reason"] for pod in models.pods()}
