"""Helm 3 and Helm 4 render the committed examples, and carry a release through its life on a real API server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.helm.release import SYSTEM, Release, foreign_kind
from tests.helm.render import CHART, ROOT, cases, helm_programs, objects, renderings
from tests.support.cluster import ControlPlane, running_control_plane
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]
MONITOR = {
    "apiVersion": "pilotfish.dev/v1alpha1",
    "kind": "ModelMonitor",
    "metadata": {"name": "delays", "namespace": "default"},
    "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"}},
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with running_control_plane(tmp_path_factory) as found:
        yield found


@pytest.fixture(params=["helm3", "helm4"])
def helm(request: pytest.FixtureRequest) -> Path:
    found = helm_programs().get(request.param)
    if not found:
        pytest.skip(f"no {request.param}: `.ci/helm > build/helm` builds it; it needs Go")
    return found


@pytest.fixture
def release(helm: Path, plane: ControlPlane) -> Iterator[Release]:
    """A control plane without a release: what one leaves is removed before and after."""
    found = Release(helm, plane)
    _remove(found)
    yield found
    _remove(found)


def _remove(release: Release) -> None:
    release.run("uninstall", "pilotfish", "--ignore-not-found")
    kubectl = release.plane.kubectl
    kubectl("delete", "crd", "modelmonitors.pilotfish.dev", "--ignore-not-found")
    kubectl("delete", "secret", "pilotfish-ca", "-n", SYSTEM, "--ignore-not-found")


def changed(tmp_path: Path) -> Path:
    """Return a copy of the chart as its next version, with a new right, label and webhook setting."""
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    for name, old, new in (
        ("Chart.yaml", "ersion: 0.1.0", "ersion: 0.2.0"),
        ("templates/webhook.yaml", "timeoutSeconds: 3", "timeoutSeconds: 4"),
    ):
        path = chart / name
        path.write_text(path.read_text().replace(old, new))
    return chart


def test_renders_the_committed_files(helm: Path) -> None:
    for name, text in renderings(helm).items():
        assert (ROOT / name).read_text() == text, f"{name} is stale: run `make chart`"


def test_lints(helm: Path) -> None:
    for name in cases():
        if not name.startswith("cert-manager"):  # whose kinds lint does not have
            subprocess.run(
                [helm, "lint", "--strict", CHART, "--values", CHART / f"ci/{name}-values.yaml"],
                check=True, capture_output=True, timeout=patient(60),
            )  # fmt: skip


@pytest.mark.parametrize("version", ["1.33.0", "v1.33.4-gke.1200", "1.34.1+k3s1", "v1.36.0-eks-1234"])
def test_accepts_the_versions_of_distributions(helm: Path, version: str) -> None:
    command: list[str | Path] = [helm, "template", CHART, f"--kube-version={version}"]
    subprocess.run(command, check=True, capture_output=True, timeout=patient(60))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--kube-version=1.32.9"], "Kubernetes v1.32.9 is too old: .*; upgrade the cluster"),
        (["--set=control.replicas=0"], "control.replicas is 0.*; set 1 or more"),
        (["--set=injector.replicas=0"], "injector.replicas is 0.*; set 1 or more, or injector.enabled=false"),
        (["--set=certManager.enabled=true"], "the cluster has no cert-manager.io/v1; install cert-manager first"),
        (["--set=certManager.issuerRef.name=ca"], "certManager.enabled is false; set certManager.enabled=true"),
        (["--set=injector.failurePolicy=Fail,injector.replicas=1"], "set injector.replicas to 2 or more"),
        (["--set=actNamespaces[0].name=a,actNamespaces[1].name=a"], "actNamespaces has a twice; merge the two"),
        (["--set=actNamespaces[0].name=a,control.watchNamespace=b"], "actNamespaces has a, but .*; remove a"),
        (["--set=sidecar.analyzer.memory=1Gi"], "limits.memory is 640Mi, .* set the limit to 1152Mi or more"),
        (["--set=sidecar.analyzer.resources.limits.memory=600Mi"], "set the limit to 640Mi or more"),
        (["--set=control.prometheus.tokenSecret=a"], "but url is not https: .*; give an https URL"),
        (["--set=control.prometheus.url=http://p,control.prometheus.tokenSecret=a"], "but url is not https"),
        (["--set=actNamespaces[0].name=Flights"], "'Flights' does not match"),
        (["--set=control.replica=3"], "additional properties 'replica' not allowed"),
        (["--set=image.pullPolicy=always"], "image.pullPolicy"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_refuses_what_cannot_work_and_says_what_to_do(helm: Path, options: list[str], message: str) -> None:
    done = subprocess.run(
        [helm, "template", CHART, *options], capture_output=True, text=True, check=False, timeout=patient(60)
    )
    assert done.returncode == 1
    assert re.search(message, done.stderr.replace("/", ".") if "pullPolicy" in message else done.stderr)


def test_what_the_processes_wrote_survives_upgrade_rollback_and_a_new_installation(
    release: Release, tmp_path: Path
) -> None:
    notes = release("install", "pilotfish", CHART, "--create-namespace")
    assert "kubectl label namespace NAMESPACE pilotfish.dev/inject=all" in notes
    release.fill()
    release.plane.wait_for_kinds("modelmonitors.pilotfish.dev")
    release.plane.apply(MONITOR)

    assert "until their next rollout" in release(
        "upgrade", "pilotfish", changed(tmp_path), "--set=commonLabels.team=ml"
    )
    webhook = release.get("mutatingwebhookconfiguration", "pilotfish-injector")
    assert [item["timeoutSeconds"] for item in webhook["webhooks"]] == [4, 4, 4]
    assert release.survives()

    release("upgrade", "pilotfish", CHART, "--set=injector.monitorsOptIn=false")
    assert release.survives()
    release("rollback", "pilotfish", "1")
    release.fill()  # the third webhook is new again
    release("upgrade", "pilotfish", CHART)
    assert release.survives()

    kept = release.run("uninstall", "pilotfish")
    assert "[Secret] pilotfish-ca" in kept.stdout + kept.stderr
    assert not release.get("mutatingwebhookconfiguration", "pilotfish-injector")
    assert not release.get("deployment", "pilotfish-control", "-n", SYSTEM)
    assert not release.get("clusterrole", "pilotfish-control")
    assert release.get("modelmonitor", "delays", "-n", "default")
    assert "data" in release.get("secret", "pilotfish-ca", "-n", SYSTEM)

    release("install", "pilotfish", CHART)
    assert "data" in release.get("secret", "pilotfish-ca", "-n", SYSTEM)
    assert release.get("modelmonitor", "delays", "-n", "default")


def test_the_api_server_accepts_every_feature(plane: ControlPlane) -> None:
    foreign = (
        ("cert-manager.io", "Certificate"),
        ("cert-manager.io", "Issuer"),
        ("monitoring.coreos.com", "PodMonitor"),
    )
    plane.apply(*(foreign_kind(group, kind) for group, kind in foreign))
    namespaces = ("flights", "loans", SYSTEM, f"{SYSTEM}-test")
    plane.apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in namespaces))
    plane.wait_for_kinds()
    for name in cases():
        if rendered := objects(name):
            text = json.dumps({"apiVersion": "v1", "kind": "List", "items": rendered})
            plane.kubectl(
                *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"),
                stdin=text,
            )


def test_accounts_may_do_what_they_need_and_nothing_else(release: Release) -> None:
    release.plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "flights"}})
    release.plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "loans"}})
    release(
        "install", "pilotfish", CHART, "--create-namespace", "--values", CHART / "ci/act-namespaces-values.yaml"
    )  # fmt: skip

    release.plane.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "author", "namespace": "flights"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": "pilotfish-author", "namespace": SYSTEM}],
        }
    )

    def may(account: str, verb: str, resource: str, namespace: str) -> bool:
        user = f"--as=system:serviceaccount:{SYSTEM}:pilotfish-{account}"
        done = subprocess.run(
            [release.plane.programs / "kubectl", "--kubeconfig", release.plane.kubeconfig,
             "auth", "can-i", verb, *resource.split(), "-n", namespace, user],
            capture_output=True, text=True, check=False, timeout=patient(60),
        )  # fmt: skip
        return done.stdout.strip() == "yes"

    allowed = [
        ("author", "create", "modelmonitors.pilotfish.dev", "flights"),
        ("author", "watch", "modelmonitors.pilotfish.dev", "flights"),
        ("control", "create", "jobs.batch", "flights"),
        ("control", "get", "configmaps/delays-profile", "flights"),
        ("control", "get", "secrets/retrain-hmac", "flights"),
        ("control", "create", "jobs.batch", "loans"),
        ("control", "list", "horizontalpodautoscalers.autoscaling", "default"),
        ("control", "list", "poddisruptionbudgets.policy", "default"),
        ("control", "update", "deployments.apps/delays --subresource=scale", "flights"),
        ("control", "update", "secrets/pilotfish-ca", SYSTEM),
        ("injector", "create", "configmaps/pilotfish-ca", "flights"),
        ("injector", "patch", "mutatingwebhookconfigurations/pilotfish-injector", SYSTEM),
        ("injector", "update", "secrets/pilotfish-ca", SYSTEM),
        ("injector", "watch", "services", "flights"),
    ]
    refused = [
        ("author", "create", "modelmonitors.pilotfish.dev", "loans"),
        ("control", "create", "jobs.batch", "default"),
        ("control", "create", "pods", "flights"),
        ("control", "get", "configmaps/other", "flights"),
        ("control", "get", "secrets/other", "flights"),
        ("control", "list", "secrets", "flights"),
        ("control", "get", "secrets/other", SYSTEM),
        ("control", "update", "deployments.apps/delays", "flights"),
        ("control", "update", "deployments.apps/delays --subresource=scale", "loans"),
        ("control", "update", "deployments.apps/other --subresource=scale", "flights"),
        ("control", "update", "horizontalpodautoscalers.autoscaling", "flights"),
        ("control", "update", "modelmonitors.pilotfish.dev", "flights"),
        ("injector", "create", "configmaps/other", "flights"),
        ("injector", "create", "jobs.batch", "flights"),
        ("injector", "get", "secrets/retrain-hmac", "flights"),
        ("injector", "list", "secrets", SYSTEM),
        ("injector", "patch", "mutatingwebhookconfigurations/other", SYSTEM),
        ("injector", "update", "pods", "flights"),
    ]
    wait_until(lambda: may(*allowed[0]), timeout=60, what="the aggregation of the role edit")
    answers = {case: may(*case) for case in (*allowed, *refused)}
    assert [case for case in allowed if not answers[case]] == []
    assert [case for case in refused if answers[case]] == []


def test_a_second_release_is_refused(release: Release) -> None:
    release("install", "pilotfish", CHART, "--create-namespace")
    done = release.run("install", "other", CHART)
    assert done.returncode == 1
    assert "invalid ownership metadata" in done.stderr


def test_the_plain_manifests_apply(release: Release) -> None:
    plane = release.plane
    plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SYSTEM}})
    manifests = ROOT / "sidecar/inject/data/manifests.yaml"
    for _ in range(2):  # the second time changes nothing
        plane.kubectl("apply", "--server-side", "-f", ROOT / "helm/files/modelmonitors.yaml", "-f", manifests)
    release.fill()
    plane.kubectl("apply", "--server-side", "-f", manifests)
    assert release.survives()
    objects = [item for item in yaml.safe_load_all(manifests.read_text()) if item]
    plane.kubectl(
        "delete",
        "-f",
        "-",
        "--ignore-not-found",
        stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
    )
    wait_until(lambda: not release.get("deployment", "pilotfish-control", "-n", SYSTEM), timeout=60, what="the end")


def test_switching_from_helm_3_to_helm_4_keeps_what_the_processes_wrote(plane: ControlPlane) -> None:
    programs = helm_programs()
    if len(programs) < 2:
        pytest.skip("no Helm 3 and 4: `.ci/helm > build/helm` builds them; it needs Go")
    old, new = (Release(programs[name], plane) for name in ("helm3", "helm4"))
    _remove(old)
    try:
        old("install", "pilotfish", CHART, "--create-namespace")
        old.fill()
        for options in ([], ["--server-side=true", "--force-conflicts"]):
            new("upgrade", "pilotfish", CHART, "--set=control.replicas=3", *options)
            assert new.survives()
        assert new.get("deployment", "pilotfish-control", "-n", SYSTEM)["spec"]["replicas"] == 3
    finally:
        _remove(new)
