"""A real control plane for the tests of `make test-real`: etcd, kube-apiserver and kube-controller-manager.

`.ci/kubernetes` builds the programs once. RBAC is on, and service accounts get their tokens by TokenRequest. There is
no scheduler and no node: pods stay Pending.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.ports import accepts, free_port
from tests.support.processes import Child, Children
from tests.support.programs import missing
from tests.support.waiting import patient, wait_until

SAID = Path("build/kubernetes")  # by .ci/kubernetes
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl")
ADMIN = "admin-token"
ISSUER = "https://kubernetes.default.svc"


@dataclass(eq=False)  # compared by identity, so that caches can have it as a key
class ControlPlane:
    """A running control plane. `kubeconfig` is the administrator's; `programs` contains kubectl.

    `command` starts the API server, and `server` is its process. `start_server` kills it and starts it again.
    """

    folder: Path
    programs: Path
    url: str
    children: Children
    command: list[str | Path]
    server: Child | None = None

    @property
    def pid(self) -> int:
        """The process id of the API server."""
        assert self.server
        return self.server.pid

    @property
    def ca(self) -> Path:
        """The certificate of the authority that signed the server's."""
        return self.folder / "ca.crt"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.folder / "kubeconfig"

    def start_server(self) -> None:
        """Start the API server in the place of the present one, and wait until it is ready."""
        if self.server:
            self.server.process.kill()
            self.server.process.wait(timeout=patient(10))
        self.server = server = self.children(*self.command)
        context = ssl.create_default_context(cafile=self.ca)
        try:
            wait_until(lambda: not server.running() or _ready(self.url, context), timeout=60, what="the API server")
        except TimeoutError:
            raise AssertionError(self.children.report()) from None
        assert server.running(), self.children.report()

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run kubectl as administrator and return its output; raise AssertionError with its errors if it fails."""
        done = subprocess.run(
            [self.programs / "kubectl", "--kubeconfig", self.kubeconfig, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=patient(60),
        )
        assert done.returncode == 0, f"kubectl {' '.join(map(str, arguments))}: {done.stderr.strip()}"
        return done.stdout

    def apply(self, *objects: dict[str, Any]) -> None:
        """Apply objects as administrator."""
        self.kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def wait_for_kinds(self, *names: str) -> None:
        """Wait until the API server serves the kinds of these CustomResourceDefinitions (of all, without names).

        `kubectl wait` fails on a new definition, which has no conditions for a moment.
        """

        def served() -> bool:
            found = json.loads(self.kubectl("get", "crd", "-o", "json"))["items"]
            ready = {item["metadata"]["name"]: item for item in found if _established(item)}
            return ready.keys() >= (set(names) or {item["metadata"]["name"] for item in found})

        wait_until(served, timeout=60, what=f"the kinds {', '.join(names) or 'of all definitions'}")

    def namespace(self) -> str:
        """Create a namespace with a new name, with its default service account, and return the name."""
        name = f"test-{uuid.uuid4().hex[:10]}"
        self.kubectl("create", "namespace", name)
        found = ("get", "serviceaccount", "default", "-n", name, "--ignore-not-found", "-o", "name")
        wait_until(lambda: self.kubectl(*found), timeout=30, what="the default service account")
        return name

    def account(
        self, namespace: str, name: str, rules: Sequence[dict[str, Any]] = (), *, cluster: bool = False
    ) -> Path:
        """Create a service account with the rules of a Role (or ClusterRole), and return its kubeconfig."""
        group = "rbac.authorization.k8s.io"
        kind, full = ("ClusterRole", f"{namespace}-{name}") if cluster else ("Role", name)
        place = {} if cluster else {"namespace": namespace}
        subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}},
            {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": full, **place}, "rules": list(rules)},
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{kind}Binding",
                "metadata": {"name": full, **place},
                "roleRef": {"apiGroup": group, "kind": kind, "name": full},
                "subjects": [subject],
            },
        )
        path = self.folder / f"kubeconfig-{namespace}-{name}"
        _write_kubeconfig(path, self.url, self.ca, {"token": self.token(namespace, name)})
        return path

    def token(self, namespace: str, account: str, *, audience: str = ISSUER, pod: str = "") -> str:
        """Return a token of a service account, bound to a pod if one is named."""
        bound = ("--bound-object-kind", "Pod", "--bound-object-name", pod) if pod else ()
        return self.kubectl("create", "token", account, "-n", namespace, "--audience", audience, *bound).strip()


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane for all tests of a session; a test uses a namespace of its own."""
    with running_control_plane(tmp_path_factory) as plane:
        yield plane


@contextmanager
def running_control_plane(
    tmp_path_factory: pytest.TempPathFactory, *, manager: Sequence[str] = ()
) -> Iterator[ControlPlane]:
    """A control plane of its own, for tests that install and remove what is unique in a cluster.

    `manager` are further options of kube-controller-manager.
    """
    programs = Path(SAID.read_text().strip() or "/missing") if SAID.exists() else Path("/missing")
    absent = [name for name in PROGRAMS if not (programs / name).exists()] + missing("openssl")
    if absent:
        pytest.skip(f"no control plane: {', '.join(absent)} missing; `.ci/kubernetes > build/kubernetes` builds it")
    folder = tmp_path_factory.mktemp("control-plane")
    children = Children(folder)
    try:
        yield start_control_plane(folder, programs, children, manager=manager)
    finally:
        children.end()


def start_control_plane(
    folder: Path,
    programs: Path,
    children: Children,
    *,
    address: str = "127.0.0.1",
    services: str = "10.96.0.0/16",
    inside: Sequence[str] = (),
    manager: Sequence[str] = (),
) -> ControlPlane:
    """Start the three programs at `address`, each with the words `inside` before it; wait for the API server."""
    _write_certificates(folder, (address, str(ip_network(services)[1])))
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,admin,"system:masters"\n')
    etcd, peer, port = free_port(), free_port(), free_port()
    stores = f"http://{address}:{etcd}"
    command: list[str | Path] = [
        *inside,
        programs / "kube-apiserver",
        *("--etcd-servers", stores, "--bind-address", address, "--advertise-address", address, f"--secure-port={port}"),
        *("--tls-cert-file", folder / "api.crt", "--tls-private-key-file", folder / "api.key"),
        *("--client-ca-file", folder / "ca.crt", "--token-auth-file", folder / "tokens.csv"),
        *("--kubelet-client-certificate", folder / "api.crt", "--kubelet-client-key", folder / "api.key"),
        *("--service-account-key-file", folder / "sa.key", "--service-account-signing-key-file", folder / "sa.key"),
        *("--service-account-issuer", ISSUER, "--authorization-mode=Node,RBAC", "--service-cluster-ip-range", services),
        # as the API server calls aggregated ones, such as external.metrics.k8s.io
        *("--proxy-client-cert-file", folder / "api.crt", "--proxy-client-key-file", folder / "api.key"),
        *("--requestheader-client-ca-file", folder / "ca.crt", "--requestheader-allowed-names=kube-apiserver"),
        *("--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group"),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        *("--enable-admission-plugins=NodeRestriction", "--allow-privileged=true"),
        *("--shutdown-delay-duration=0s", "--profiling=false"),
    ]
    plane = ControlPlane(folder, programs, f"https://{address}:{port}", children, command)
    _write_kubeconfig(plane.kubeconfig, plane.url, plane.ca, {"token": ADMIN})
    kubelet = {"client-certificate": str(folder / "kubelet.crt"), "client-key": str(folder / "kubelet.key")}
    _write_kubeconfig(folder / "kubeconfig-kubelet", plane.url, plane.ca, kubelet)
    children(
        *inside,
        programs / "etcd",
        *("--data-dir", folder / "etcd", "--unsafe-no-fsync"),
        *("--listen-client-urls", stores, "--advertise-client-urls", stores),
        *("--listen-peer-urls", f"http://{address}:{peer}"),
    )
    wait_until(lambda: accepts(etcd, address), timeout=60, what="etcd")
    plane.start_server()
    children(
        *inside,
        programs / "kube-controller-manager",
        *("--kubeconfig", plane.kubeconfig, "--service-account-private-key-file", folder / "sa.key"),
        *("--root-ca-file", plane.ca, "--use-service-account-credentials", "--leader-elect=false", "--secure-port=0"),
        *manager,
    )
    return plane


def _established(definition: dict[str, Any]) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any(one["type"] == "Established" and one["status"] == "True" for one in conditions)


def _ready(url: str, context: ssl.SSLContext) -> bool:
    request = urllib.request.Request(f"{url}/readyz", headers={"Authorization": f"Bearer {ADMIN}"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=patient(5)) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _write_certificates(folder: Path, addresses: Sequence[str]) -> None:
    """Write an authority, certificates of API server and kubelet, and the key that signs tokens of service accounts.

    Each certificate is one of a client, too: the API server is an administrator at the kubelet.
    """

    def openssl(*arguments: str | Path) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder, timeout=patient(60))

    new = ("req", *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"), "-nodes", "-days", "2")
    openssl(*new, "-x509", "-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=test-ca")
    names = ",".join(["DNS:localhost", "DNS:kubernetes.default.svc", *(f"IP:{address}" for address in addresses)])
    for name, subject in (
        ("api", "/O=system:masters/CN=kube-apiserver"),
        ("kubelet", "/O=system:nodes/CN=system:node:node1"),
    ):
        openssl(*new, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", subject)
        (folder / f"{name}.ext").write_text(f"subjectAltName={names}\nextendedKeyUsage=serverAuth,clientAuth\n")
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *signed)
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")


def _write_kubeconfig(path: Path, url: str, ca: Path, user: dict[str, str]) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {"server": url, "certificate-authority": str(ca)}}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        "current-context": "test",
    }
    path.write_text(yaml.safe_dump(config))
