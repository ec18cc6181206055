"""The model of these tests: the service of docs/examples/fastapi, on a real FastAPI and uvicorn."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.node.images import Image
from tests.support.node.node import Node
from tests.support.waiting import patient

EXAMPLE = Path(__file__).parents[3] / "docs/examples/fastapi"
MODEL = Image("localhost/loans:test", context=Path(__file__).parent, inputs=("Dockerfile",))
NAME = "loans"


def serve(container: dict[str, Any], port: int = 8000) -> None:
    """Let a container of a pod run the service."""
    container |= {
        "image": MODEL.name,
        "command": ["uvicorn", "service:app", "--host=0.0.0.0", f"--port={port}", "--timeout-graceful-shutdown=20"],
        "workingDir": "/service",
    }
    container.setdefault("volumeMounts", []).append({"name": "service", "mountPath": "/service"})


VOLUME = {"name": "service", "configMap": {"name": f"{NAME}-service"}}


def install(cluster: Node, namespace: str, folder: Path) -> None:
    """Write the ConfigMaps of the service and of its monitor (document and profile), and the token of its report."""
    command = (
        *(sys.executable, "-m", "pilotfish.sidecar.cli", "profile", "build", EXAMPLE / "reference.csv"),
        *("--model", NAME, "--version", "1", "--prediction", "score", "--label", "repaid"),
        *("--exchangeable", "--tick", "10s", "--out", folder / "profile.json"),
    )
    subprocess.run(command, check=True, capture_output=True, timeout=patient(60))
    create = ("create", "--namespace", namespace)
    cluster.plane.kubectl(*create, "configmap", f"{NAME}-service", f"--from-file={EXAMPLE / 'service.py'}")
    cluster.plane.kubectl(
        *(*create, "configmap", f"{NAME}-pilotfish", f"--from-file={EXAMPLE / 'monitor.yaml'}"),
        f"--from-file={folder / 'profile.json'}",
    )
    cluster.plane.kubectl(*create, "secret", "generic", f"{NAME}-pilotfish", "--from-literal=token=secret")
