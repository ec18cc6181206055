"""Real faults of a real sidecar: a real Prometheus with the rules fires the alert, and ends it with the fault."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.alerts import GROUPS
from dashboards.alerts.rule import text_of
from tests.control.receiver import receiving
from tests.dashboards.prometheus import Prometheus
from tests.e2e.conftest import profile_of
from tests.e2e.load import loaded, until
from tests.e2e.stack import Stack, create_stack
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.programs import find, needs
from tests.support.waiting import patient, wait_until

pytestmark = [pytest.mark.real, needs("prometheus"), pytest.mark.timeout(240)]
LIMIT = 60.0  # seconds until an alert fires or ends; scrapes and evaluations are a second apart


def started(folder: Path, spawn: Children, stack: Stack) -> Prometheus:
    """Start a Prometheus that scrapes the sidecar, with all rules; alerts fire at once."""
    rules = folder / "rules.yaml"
    rules.write_text(text_of(GROUPS, held="0s").replace("interval: 1m", "interval: 1s"))
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {
                "job_name": "pilotfish",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{stack.admin}"], "labels": {"namespace": "shop", "pod": "m-0"}}
                ],
            }
        ],
    }
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    spawn(
        find("prometheus") or "",
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    server = Prometheus(f"http://{address}", time.time())
    wait_until(server.ready, timeout=60, what="Prometheus")
    return server


def firing(server: Prometheus) -> dict[str, dict[str, Any]]:
    """Return the firing alerts by name."""
    with urllib.request.urlopen(f"{server.url}/api/v1/alerts", timeout=patient(10)) as response:
        found = json.load(response)["data"]["alerts"]
    return {item["labels"]["alertname"]: item for item in found if item["state"] == "firing"}


def test_a_stopped_analyzer_and_a_drift_fire_their_alerts_and_end_them(tmp_path: Path, spawn: Children) -> None:
    with receiving() as receiver:
        stack = create_stack(tmp_path, spawn, profile_of(1), receiver.url)
        stack.start()
        server = started(tmp_path, spawn, stack)

        async def fires(name: str, *, ends: bool = False) -> dict[str, Any]:
            await until(lambda: (name in firing(server)) != ends, f"{name}, ends: {ends}", timeout=LIMIT)
            return firing(server).get(name, {})

        async def run() -> None:
            async with loaded(stack.listen) as load:
                await until(stack.ready, "the analyzer process")
                await until(lambda: server.instant("pilotfish_ready == 1"), "a scrape", timeout=LIMIT)
                await until(lambda: server.instant("model:pilotfish_requests:rate5m > 0"), "the rules", timeout=LIMIT)
                assert not firing(server), "no alert without a fault"

                stack.kill_analyzer(signal.SIGSTOP)
                try:
                    found = await fires("PilotfishAnalyzerAbsent")
                finally:
                    stack.kill_analyzer(signal.SIGCONT)
                assert found["annotations"]["summary"] == "Prometheus does not hear the analyzer of shop/m-0."
                await fires("PilotfishAnalyzerAbsent", ends=True)

                load.shift = 3.0
                found = await fires("PilotfishDriftAlarm")
                assert "shop/m (version 1)" in found["annotations"]["summary"]
                assert stack.get("/profile", "PUT", profile_of(2, shift=3.0))[0] // 100 == 2
                await fires("PilotfishDriftAlarm", ends=True)
            assert load.failures == [], "no request failed meanwhile"

        asyncio.run(run())
        assert stack.stop() == 0
