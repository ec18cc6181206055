"""The programs of a whole cluster with one node, in the order in which they need each other, and the fixture `node`."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.support.cluster import ControlPlane, start_control_plane
from tests.support.node.images import load, pack_pause
from tests.support.node.machine import Machine, machine
from tests.support.node.programs import Programs, found, lacking
from tests.support.processes import Child, Children
from tests.support.waiting import wait_until

CONTAINERD = "/run/containerd.sock"  # on the machine
NODE = "node1"


@dataclass(frozen=True)
class Node:
    """A cluster with one node that runs pods. `plane` has kubectl, and the administrator's kubeconfig."""

    machine: Machine
    plane: ControlPlane
    programs: Programs

    def ctr(self, *arguments: str | Path) -> str:
        """Run containerd's own client on the node."""
        return self.machine.run(
            self.programs.node / "ctr", "--address", CONTAINERD, "--namespace", "k8s.io", *arguments, seconds=120
        )

    def load(self, *archives: Path) -> None:
        """Make images of archives known to the node, so that pods use them without a registry."""
        load(self.ctr, archives)


@contextlib.contextmanager
def run_node(folder: Path) -> Iterator[Node]:
    """Run a node in `folder`, and end all of it."""
    programs = found()
    assert programs, lacking()
    with machine(folder) as host:
        runtime = _start_containerd(host, programs)
        plane = start_control_plane(
            folder, programs.plane, host.children, address=host.address, services=f"{host.net}.128.0/20",
            inside=host.inside(),
        )  # fmt: skip
        node = Node(host, plane, programs)
        config = plane.kubeconfig
        host.start(programs.node / "kube-scheduler", "--kubeconfig", config, "--leader-elect=false")
        host.start(
            *(programs.node / "kube-proxy", "--kubeconfig", config, "--proxy-mode=nftables"),
            *("--hostname-override", NODE, "--cluster-cidr", f"{host.net}.0.0/24"),
            "--conntrack-max-per-core=0",  # a limit of the whole kernel, not of the machine's network
        )
        _start_dns(node)
        wait_until(lambda: _answers(node), timeout=30, what=f"containerd: {runtime.errors()[-500:]}")
        node.load(pack_pause(programs.node / "pause"))
        kubelet = _start_kubelet(node)
        ready = ("get", "node", NODE, "--ignore-not-found", "-o", "json")
        wait_until(
            lambda: _is_ready(plane.kubectl(*ready)) or not kubelet.running(), timeout=60, what="the node to be ready"
        )
        assert all(child.running() for child in host.children.started), host.children.report()
        settings = {"pid": host.pid, "net": host.net, "url": plane.url}
        (folder / "node.json").write_text(json.dumps(settings))
        yield node


def attach(folder: Path, outputs: Path) -> Node:
    """Return the node that `python -m tests.support.node` runs in `folder`; `outputs` is for new programs' output."""
    programs, settings = found(), json.loads((folder / "node.json").read_text())
    assert programs, lacking()
    children = Children(outputs)
    plane = ControlPlane(folder, programs.plane, settings["url"], children, [])
    return Node(Machine(folder, children, settings["pid"], settings["net"]), plane, programs)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A cluster with one node for all tests of a session; a test uses a namespace of its own.

    `PILOTFISH_NODE` is the folder of a node that runs already, and goes on to run.
    """
    if reason := lacking():
        pytest.skip(f"no node: {reason}")
    if running := os.environ.get("PILOTFISH_NODE"):
        attached = attach(Path(running), tmp_path_factory.mktemp("node"))
        yield attached
        attached.machine.children.end()
        return
    with run_node(tmp_path_factory.mktemp("node")) as started:
        yield started


def _start_containerd(host: Machine, programs: Programs) -> Child:
    network = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": "/run/cni",
            "ranges": [[{"subnet": f"{host.net}.0.0/24"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    (host.folder / "cni").mkdir()
    (host.folder / "cni" / "10-bridge.conflist").write_text(
        json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [network]})
    )
    (host.folder / "containerd.toml").write_text(f"""version = 3
root = "{host.folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{CONTAINERD}"
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  restrict_oom_score_adj = true
[plugins.'io.containerd.cri.v1.runtime'.cni]
  bin_dirs = ["{programs.node}"]
  conf_dir = "{host.folder}/cni"
""")
    path = {"PATH": f"{programs.node}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    return host.start(programs.node / "containerd", "--config", host.folder / "containerd.toml", env=path)


def _start_dns(node: Node) -> None:
    """Start CoreDNS beside the kubelet, on the address of the node."""
    (node.machine.folder / "Corefile").write_text(f""".:53 {{
    errors
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {node.plane.kubeconfig}
        ttl 1
    }}
}}
""")
    node.machine.start(node.programs.node / "coredns", "-conf", node.machine.folder / "Corefile")


def _start_kubelet(node: Node) -> Child:
    folder, plane, host = node.machine.folder, node.plane, node.machine
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.ca)},
        },
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": host.cgroup,
        "clusterDNS": [host.address],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD}",
        "cpuManagerPolicy": "static",  # the kubelet then resizes the CPU of no Guaranteed pod
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,  # else a disk that is nearly full loses them, for good
        "makeIPTablesUtilChains": False,
        "nodeStatusUpdateFrequency": "5s",
        "registerNode": True,
        "resolvConf": "",
        "systemReserved": {"cpu": "10m"},  # the static policy demands some
        "tlsCertFile": str(folder / "kubelet.crt"),
        "tlsPrivateKeyFile": str(folder / "kubelet.key"),
    }
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(configuration))
    return host.start(
        *(node.programs.node / "kubelet", "--kubeconfig", folder / "kubeconfig-kubelet"),
        *("--config", folder / "kubelet.yaml", "--hostname-override", NODE, "--node-ip", host.address),
        *("--root-dir", folder / "kubelet"),
    )


def _answers(node: Node) -> bool:
    try:
        node.ctr("version")
    except AssertionError:
        return False
    return True


def _is_ready(found: str) -> bool:
    conditions = json.loads(found)["status"].get("conditions", []) if found else []
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)
