"""`pilotfish run` in front of a model server on a machine with GPUs: a scripted driver, the real nvidia-ml-py."""

from __future__ import annotations

import json
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.nvml.driver import COMPILER, ScriptedDriver, build
from tests.support.ports import free_port
from tests.support.processes import Child, Children
from tests.support.waiting import patient, wait_until

SERVER = """
import http.server, sys
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


def get(port: int, path: str) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=patient(5)) as response:
            return str(response.read().decode())
    except OSError:
        return ""


def start(spawn: Children, driver: ScriptedDriver, folder: Path) -> tuple[Child, Child, int, int]:
    """Start a model server with a GPU, and Pilotfish in front of it; return both, its port and its admin port."""
    upstream, listen, admin = free_port(), free_port(), free_port()
    server = spawn(sys.executable, "-c", SERVER, str(upstream))
    driver.change({"processes.0": f"{server.pid}:1024", "tasks.0": f"{server.pid}:50:5"})
    pilotfish = spawn.pilotfish(
        "run", "--listen", f"127.0.0.1:{listen}", "--upstream", f"127.0.0.1:{upstream}",
        "--admin", f"127.0.0.1:{admin}", "--state", folder / "state", env=driver.environment,
    )  # fmt: skip
    return server, pilotfish, listen, admin


@pytest.fixture
def driver(tmp_path: Path) -> ScriptedDriver:
    if COMPILER is None:
        pytest.skip("not installed: cc, the C compiler (Debian: gcc)")
    found = ScriptedDriver(build(tmp_path / "library"), tmp_path / "driver.script")
    found.devices(1)
    return found


@pytest.mark.long
def test_gpu_time_and_energy_reach_the_routes(spawn: Children, tmp_path: Path, driver: ScriptedDriver) -> None:
    _, pilotfish, listen, admin = start(spawn, driver, tmp_path)
    wait_until(lambda: 'pilotfish_gpu_utilization_ratio{uuid="GPU-0"} 0.5' in get(admin, "/metrics"), timeout=30)
    joules = 5_000_000

    def measured() -> dict[str, float]:
        nonlocal joules
        joules += 100_000  # the card goes on
        driver.change({"energy.0": joules})
        get(listen, "/")
        found = json.loads(get(admin, "/report"))["resources"]
        used = [*(route["used"] for route in found["routes"]), found["idle"]]
        return {name: sum(one[name] or 0.0 for one in used) for name in ("gpu_seconds", "energy_joules")}

    wait_until(lambda: min(measured().values()) > 0, timeout=30)
    driver.change({"fail.*": 9})  # the driver is unloaded
    gone = 'pilotfish_gpu_unavailable{reading="devices",reason="driver_not_loaded",uuid=""} 1.0'
    wait_until(lambda: gone in get(admin, "/metrics"), timeout=30)
    assert "pilotfish_gpu_utilization_ratio" not in get(admin, "/metrics")
    assert not pilotfish.crashed()
