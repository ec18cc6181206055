"""Where the connection gets its address and credentials, and how they are renewed."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.kube import configuration
from pilotfish.sidecar.kube.client import Kube
from pilotfish.sidecar.kube.errors import KubeError, UnauthorizedError
from pilotfish.sidecar.kube.objects import CONFIG_MAPS
from pilotfish.sidecar.kube.read import list_all
from tests.support.apiserver.server import ApiServer
from tests.support.apiserver.tokens import User
from tests.support.cluster import ControlPlane

EXEC = "client.authentication.k8s.io/v1"


@asynccontextmanager
async def connected(kubeconfig: Path | None, context: str = "") -> AsyncIterator[Kube]:
    kube = await Kube.connect(kubeconfig, context)
    try:
        yield kube
    finally:
        await kube.close()


def write_kubeconfig(path: Path, api: ApiServer, user: dict[str, Any]) -> Path:
    config = yaml.safe_load(api.kubeconfig(path.parent).read_text())
    config["users"][0]["user"] = user
    path.write_text(yaml.safe_dump(config))
    return path


def write_program(folder: Path, token: str, status: int = 0) -> dict[str, Any]:
    """Return the user of a kubeconfig whose credential program prints a token from a file."""
    (folder / "token").write_text(token)
    program = folder / "program"
    program.write_text(
        f"#!/bin/sh\necho run >> {folder}/runs\necho secret-of-the-program >&2\n"
        f"""printf '{{"apiVersion": "{EXEC}", "kind": "ExecCredential", "status": {{"token": "%s"}}}}' """
        f'"$(cat {folder}/token)"\nexit {status}\n'
    )
    program.chmod(0o755)
    return {"exec": {"apiVersion": EXEC, "command": str(program), "args": []}}


@pytest.mark.asyncio
async def test_a_kubeconfig_names_server_and_token(api: ApiServer, tmp_path: Path) -> None:
    async with connected(api.kubeconfig(tmp_path)) as kube:
        await list_all(kube, CONFIG_MAPS)
    assert [call.user for call in api.calls] == ["admin"]


@pytest.mark.asyncio
async def test_the_usual_kubeconfig_is_read_without_arguments(
    api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(api.kubeconfig(tmp_path)))
    async with connected(None) as kube:
        assert kube.host == f"http://127.0.0.1:{api.port}"


@pytest.mark.asyncio
async def test_an_unknown_context_is_an_error(api: ApiServer, tmp_path: Path) -> None:
    with pytest.raises(KubeError, match="context 'another'"):
        await Kube.connect(api.kubeconfig(tmp_path), "another")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "text", ["", "[]", "{", "apiVersion: v1", "users: 3", "contexts: [a]\nclusters: []\nusers: []"]
)
async def test_a_malformed_kubeconfig_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(KubeError, match="the kubeconfig cannot be loaded"):
        await Kube.connect(path)


@pytest.mark.asyncio
async def test_a_missing_kubeconfig_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(KubeError, match=r"there is no file '.*missing'; give one with --kubeconfig, or set KUBECONFIG"):
        await Kube.connect(tmp_path / "missing")


@pytest.mark.asyncio
async def test_credentials_that_expire_are_loaded_anew(api: ApiServer, tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "kubeconfig", api, write_program(tmp_path, "first"))
    api.tokens["first"] = api.tokens["second"] = User("program")
    async with connected(path) as kube:
        await list_all(kube, CONFIG_MAPS)
        del api.tokens["first"]
        (tmp_path / "token").write_text("second")
        await list_all(kube, CONFIG_MAPS)
        await list_all(kube, CONFIG_MAPS)
        assert (tmp_path / "runs").read_text().count("run") == 2
        del api.tokens["second"]
        with pytest.raises(UnauthorizedError):
            await list_all(kube, CONFIG_MAPS)


@pytest.mark.asyncio
async def test_a_credential_program_that_fails_is_an_error_without_its_output(
    api: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_kubeconfig(tmp_path / "kubeconfig", api, write_program(tmp_path, "first", status=1))
    with pytest.raises(KubeError, match="credential program failed") as raised:
        await Kube.connect(path)
    assert "secret-of-the-program" not in str(raised.value) + caplog.text


@pytest.mark.real
@pytest.mark.asyncio
async def test_a_pod_uses_its_service_account_and_reads_a_new_token(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    namespace = control_plane.namespace()
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]}
    for account in ("first", "second"):
        control_plane.account(namespace, account, [rule])
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", control_plane.url.rpartition(":")[2])
    (tmp_path / "ca.crt").write_bytes(control_plane.ca.read_bytes())
    (tmp_path / "token").write_text(control_plane.token(namespace, "first"))
    kube = await Kube.load(configuration.loader(None, "", tmp_path))
    try:
        await list_all(kube, CONFIG_MAPS, namespace)
        (tmp_path / "token").write_text(control_plane.token(namespace, "second"))
        control_plane.kubectl("delete", "serviceaccount", "first", "-n", namespace)  # its tokens are refused
        await list_all(kube, CONFIG_MAPS, namespace)
    finally:
        await kube.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("content", [None, ""])
async def test_an_incomplete_service_account_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "token").write_text("token")
    if content is not None:
        (tmp_path / "ca.crt").write_text(content)
    with pytest.raises(KubeError, match="the service account cannot be read"):
        await Kube.load(configuration.loader(None, "", tmp_path))


@pytest.mark.asyncio
async def test_without_the_package_an_error_names_the_extra(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kubernetes.aio", None)
    with pytest.raises(KubeError, match=r"pip install 'pilotfish\[cluster\]'"):
        await api.connect()
