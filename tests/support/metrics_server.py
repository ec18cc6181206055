"""metrics-server as a process on a node's machine: it serves the use of containers, metrics.k8s.io.

`.ci/metrics-server` builds it. The API server reaches it through a Service of type ExternalName, since both run on the
machine and not in pods.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.node.node import Node
from tests.support.ports import free_port
from tests.support.waiting import wait_until

SAID = Path("build/metrics-server")  # by .ci/metrics-server
GROUP = "metrics.k8s.io"
SERVICE = "metrics-server"
RESOLUTION = "10s"  # the shortest that it takes


def start_metrics_server(node: Node) -> None:
    """Start metrics-server and wait until it serves; skip the test where it is not built."""
    programs = Path(SAID.read_text().strip() or "/missing") if SAID.exists() else Path("/missing")
    if not (programs / "metrics-server").exists():
        pytest.skip("no metrics-server: `.ci/metrics-server > build/metrics-server` builds it, with Go")
    plane, port = node.plane, free_port()
    if _serves(node):
        return  # on a node that was attached
    options = ("--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig")
    started = node.machine.start(
        programs / "metrics-server",
        *(word for option in options for word in (option, plane.kubeconfig)),
        *("--secure-port", str(port), "--cert-dir", node.machine.folder / "metrics-server"),
        *("--kubelet-insecure-tls", "--kubelet-preferred-address-types=InternalIP"),
        *("--metric-resolution", RESOLUTION, "--kubelet-request-timeout=5s"),
    )
    plane.apply(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": SERVICE, "namespace": "kube-system"},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1beta1.{GROUP}"},
            "spec": {
                "group": GROUP,
                "version": "v1beta1",
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {"name": SERVICE, "namespace": "kube-system", "port": port},
            },
        },
    )
    wait_until(lambda: _serves(node) or not started.running(), timeout=90, what="metrics-server")
    assert started.running(), started.errors()[-500:]


def _serves(node: Node) -> bool:
    try:
        return bool(node.plane.kubectl("get", "--raw", f"/apis/{GROUP}/v1beta1/nodes"))
    except AssertionError:
        return False
