"""KEDA as processes beside a control plane: its operator, and its adapter, which serves external.metrics.k8s.io.

`.ci/keda` builds both. The API server reaches the adapter through a Service of type ExternalName, since there is no
network of Services.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.cluster import ControlPlane
from tests.support.ports import accepts, free_port
from tests.support.waiting import wait_until

SAID = Path("build/keda")  # by .ci/keda
NAMESPACE, OPERATOR = "keda", "keda-operator"
GROUP = "v1beta1.external.metrics.k8s.io"


def start_keda(plane: ControlPlane, *, trusted: Sequence[Path], accounts: Sequence[tuple[str, str]]) -> None:
    """Install KEDA and start it, and wait until it serves metrics; skip the test where it is not built.

    `trusted` are certificates that it trusts in addition. It may make tokens with the audience `pilotfish` for
    `accounts`, by namespace and name.
    """
    programs = Path(SAID.read_text().strip() or "/missing") if SAID.exists() else Path("/missing")
    if not (programs / "keda-adapter").exists():
        pytest.skip("no KEDA: `.ci/keda > build/keda` builds it, with Go")
    plane.kubectl("apply", "--server-side", "-f", programs / "crds")
    plane.kubectl("create", "namespace", NAMESPACE)
    operator = plane.account(NAMESPACE, OPERATOR, RULES, cluster=True)
    certificates, authorities = plane.folder / "keda-certificates", plane.folder / "keda-authorities"
    for folder in (certificates, authorities):
        folder.mkdir()
    for source, name in (("ca.crt", "ca.crt"), ("api.crt", "tls.crt"), ("api.key", "tls.key")):
        shutil.copy(plane.folder / source, certificates / name)
    for number, path in enumerate(trusted):
        shutil.copy(path, authorities / f"{number}.crt")
    audiences = [{"namespace": place, "serviceAccountName": name, "audience": "pilotfish"} for place, name in accounts]
    environment = {
        "KUBECONFIG": str(operator),
        "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
        "POD_NAMESPACE": NAMESPACE,
        "WATCH_NAMESPACE": "",
        "KEDA_SERVICE_ACCOUNT_TOKEN_AUDIENCES": json.dumps(audiences),
    }
    metrics, secure = free_port(), free_port()
    started = plane.children(
        programs / "keda",
        *("--metrics-bind-address=0", "--enable-prometheus-metrics=false", "--leader-elect=false"),
        *("--health-probe-bind-address", f"127.0.0.1:{free_port()}"),
        *("--metrics-service-bind-address", f"127.0.0.1:{metrics}"),
        *("--cert-dir", certificates, "--ca-dir", authorities, "--enable-cert-rotation=false"),
        env=environment,
    )
    wait_until(lambda: accepts(metrics) or not started.running(), timeout=60, what="the operator of KEDA")
    adapter = plane.children(
        programs / "keda-adapter",
        *("--metrics-service-address", f"localhost:{metrics}", "--port", str(free_port())),
        *("--bind-address=127.0.0.1", "--secure-port", str(secure), "--cert-dir", certificates),
        *("--tls-cert-file", certificates / "tls.crt", "--tls-private-key-file", certificates / "tls.key"),
        *("--authentication-kubeconfig", plane.kubeconfig, "--authorization-kubeconfig", plane.kubeconfig),
        *("--lister-kubeconfig", plane.kubeconfig),
        env={**environment, "KUBECONFIG": str(plane.kubeconfig)},
    )
    wait_until(lambda: accepts(secure) or not adapter.running(), timeout=60, what="the adapter of KEDA")
    plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "keda-metrics-apiserver", "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": GROUP},
            "spec": {
                "group": "external.metrics.k8s.io",
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": "keda-metrics-apiserver", "namespace": NAMESPACE, "port": secure},
            },
        },
    )
    plane.kubectl("wait", "--for=condition=Available", f"apiservice/{GROUP}", "--timeout=50s")


# The parts of KEDA's own ClusterRole that this test needs. It has no right to make tokens: the example grants that.
RULES = (
    {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get"]},
    {
        "apiGroups": [""],
        "resources": ["configmaps", "limitranges", "pods", "secrets", "serviceaccounts", "services"],
        "verbs": ["list", "watch"],
    },
    {"apiGroups": ["", "events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    {"apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["get", "list", "patch", "update", "watch"]},
    {"apiGroups": ["apps"], "resources": ["deployments", "replicasets", "statefulsets"], "verbs": ["list", "watch"]},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": ["*"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["*"]},
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]},
    {"apiGroups": ["eventing.keda.sh", "keda.sh"], "resources": ["*"], "verbs": ["*"]},
)
