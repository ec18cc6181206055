"""The unit of systemd and the files of Docker Compose are valid, and `pilotfish run` understands their variables."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.manifests import documents
from tests.e2e.pasted import EXAMPLES
from tests.e2e.stack import TOKEN, Stack
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.programs import find, needs
from tests.support.waiting import patient, wait_until

COMPOSE: dict[str, Any] = yaml.safe_load((EXAMPLES / "compose/compose.yaml").read_text())
UNIT = EXAMPLES / "systemd/pilotfish.service"


def unit_variables() -> dict[str, str]:
    """Return the environment of the unit."""
    return dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE))


def own(value: str, stack: Stack) -> str:
    """Return the value of a variable with the paths and ports of `stack`."""
    folders = {"/etc/pilotfish": "", "/run/secrets/pilotfish-token": "token", "/var/lib/pilotfish": "state"}
    for folder, name in {**folders, "%S/pilotfish": "state"}.items():
        value = value.replace(folder, str(stack.folder / name))
    for port, mine in {"8000": stack.upstream, "8080": stack.listen, "9797": stack.admin}.items():
        value = re.sub(rf".*:{port}$", f"127.0.0.1:{mine}", value)
    return value


@pytest.mark.long
@pytest.mark.parametrize(
    "variables", [COMPOSE["services"]["pilotfish"]["environment"], unit_variables()], ids=["compose", "systemd"]
)
def test_the_variables_start_pilotfish(variables: dict[str, str], stack: Stack, spawn: Children) -> None:
    stack.write("token", TOKEN)
    stack.child = spawn.pilotfish("run", env={name: own(value, stack) for name, value in variables.items()})
    wait_until(lambda: stack.ready() or not stack.run.running(), timeout=20, what="Pilotfish to be ready")
    assert stack.report()["profile"]["model"] == "m", "the document is in force"
    assert (stack.folder / "state").is_dir()
    assert stack.stop() == 0


def in_pod(words: list[str], stack: Stack) -> list[str]:
    """Return the arguments of a container with the paths and ports of `stack`."""
    folder = stack.folder
    paths = {
        "/etc/pilotfish": folder, "/run/secrets/pilotfish": folder, "/var/lib/pilotfish": folder / "state",
        "/run/pilotfish": folder / "shared", "/dev/shm/pilotfish": folder / "shared",
    }  # fmt: skip
    ports = {"8000": stack.upstream, "8080": stack.listen, "9797": stack.admin, "9796": free_port()}
    moved = [re.sub("|".join(paths), lambda found: str(paths[found[0]]), word) for word in words]
    return [re.sub(r"=[\d.]*:(\d+)$", lambda found: f"=127.0.0.1:{ports[found[1]]}", word) for word in moved]


@pytest.mark.long
@pytest.mark.parametrize("name", ["one-sidecar", "two-sidecars"])
def test_the_arguments_of_kubernetes_start_pilotfish(name: str, stack: Stack, spawn: Children) -> None:
    stack.write("token", TOKEN)
    for path in ("state", "shared"):
        (stack.folder / path).mkdir(exist_ok=True)
    (deployment,) = (item for item in documents(EXAMPLES / f"kubernetes/{name}.yaml") if item["kind"] == "Deployment")
    for sidecar in deployment["spec"]["template"]["spec"]["initContainers"]:
        stack.child = spawn.pilotfish(*in_pod(sidecar["args"], stack))
    wait_until(lambda: stack.ready() or not stack.run.running(), timeout=20, what="Pilotfish to be ready")
    assert stack.report()["profile"]["model"] == "m", "the document is in force"
    assert stack.stop() == 0


def test_the_paths_of_compose_exist() -> None:
    folder = EXAMPLES / "compose"
    services = COMPOSE["services"]
    contexts = [service["build"]["context"] for service in services.values() if "build" in service]
    mounted = [volume.split(":")[0] for service in services.values() for volume in service.get("volumes", ())]
    for path in [*contexts, *(path for path in mounted if path not in COMPOSE["volumes"])]:
        assert (folder / path).exists(), path
    assert (folder / services["pilotfish"]["build"]["context"] / "Dockerfile").is_file()


def checked(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=patient(30))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.real
@needs("promtool")
def test_prometheus_accepts_its_files(tmp_path: Path) -> None:
    for path in (EXAMPLES / "compose/prometheus.yml", EXAMPLES.parents[1] / "dashboards/provisioning/rules.yaml"):
        shutil.copy(path, tmp_path)
    checked(find("promtool") or "", "check", "config", "--lint=all", str(tmp_path / "prometheus.yml"))


@pytest.mark.real
@needs("amtool")
@pytest.mark.parametrize("name", ["alertmanager", "compose"])
def test_alertmanager_accepts_its_files(name: str) -> None:
    checked(find("amtool") or "", "check-config", str(EXAMPLES / name / "alertmanager.yml"))


@pytest.mark.real
@needs("systemd-analyze")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = shutil.which("pilotfish", path=str(Path(sys.executable).parent)) or ""
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/pilotfish/bin/pilotfish", program))
    checked(find("systemd-analyze") or "", "verify", "--man=no", str(copy))
