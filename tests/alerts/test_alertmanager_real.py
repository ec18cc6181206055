"""A real Alertmanager with the documented routes: it groups, inhibits, and calls the controller's receiver."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar.control.manager.server.backend import AlertsAnswer, MayCreate
from pilotfish.sidecar.control.retrain.alerts import Alert, parse_alerts
from tests.control.receiver import Receiver, receiving
from tests.control.server.made import MONITOR, NAMESPACE, SmallBackend, serving
from tests.e2e.load import until
from tests.e2e.pasted import EXAMPLES
from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.programs import find, needs
from tests.support.waiting import patient

pytestmark = [pytest.mark.real, needs("prometheus-alertmanager"), pytest.mark.timeout(120)]
CALLER = "labeller"
PEOPLE = ("night", "office", "list")


@dataclass
class AlertBackend(SmallBackend):
    """Reads alerts as the controller does, and keeps those for which the caller has the right."""

    taken: list[Alert] = field(default_factory=list)

    async def alerts(self, body: bytes, may_create: MayCreate) -> AlertsAnswer:
        found = parse_alerts(body)
        allowed = [alert for alert in found if await may_create(*alert.monitor)]
        self.taken += allowed
        return AlertsAnswer(accepted=len(allowed), ignored=len(found) - len(allowed))


def config(controller: str, people: Mapping[str, str], token: Path) -> str:
    """Return the example with addresses of this test, and short times."""
    found: dict[str, Any] = yaml.safe_load((EXAMPLES / "alertmanager/alertmanager.yml").read_text())
    found["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in found["receivers"]:
        (hook,) = receiver["webhook_configs"]
        if receiver["name"] in people:
            hook["url"] = people[receiver["name"]]
        else:
            hook["url"] = f"{controller}/v1/alerts"
            hook["http_config"] = {"authorization": {"credentials_file": str(token)}}
    return yaml.safe_dump(found)


def alert(name: str, severity: str, ends: float = 600, **labels: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "labels": {"alertname": name, "severity": severity, "namespace": NAMESPACE, **labels},
        "startsAt": (now - timedelta(seconds=60)).isoformat(),
        "endsAt": (now + timedelta(seconds=ends)).isoformat(),
    }


def send(address: str, *alerts: Mapping[str, Any]) -> None:
    """Give alerts to Alertmanager as Prometheus does."""
    request = urllib.request.Request(f"http://{address}/api/v2/alerts", json.dumps(alerts).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=patient(10)) as response:
        assert response.status == 200


def ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=patient(5)):
            return True
    except OSError:
        return False


def names(receiver: Receiver) -> set[str]:
    """Return the names of the alerts that arrived."""
    return {item["labels"]["alertname"] for got in receiver.arrivals for item in json.loads(got.body)["alerts"]}


async def route_alerts(tmp_path: Path, spawn: Children) -> None:
    address, token = f"127.0.0.1:{free_port()}", tmp_path / "token"
    token.write_text(CALLER)
    backend = AlertBackend()
    with ExitStack() as stack:
        people = {name: stack.enter_context(receiving()) for name in PEOPLE}
        async with serving(backend) as served:
            served.reviews.rights.add(("system:serviceaccount:etl:labels", "create alerts", NAMESPACE, MONITOR))
            path = tmp_path / "alertmanager.yml"
            path.write_text(config(served.url, {name: one.url for name, one in people.items()}, token))
            spawn(
                find("prometheus-alertmanager") or "",
                f"--config.file={path}",
                f"--storage.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
                "--cluster.listen-address=",
            )
            await until(lambda: ready(address), "Alertmanager", timeout=patient(30))
            worse = alert("ModelLossHigh", "warning", monitor=MONITOR, retrain="yes")
            foreign = alert("ModelLossHigh", "warning", monitor="other", retrain="yes")
            drift = [alert("PilotfishDriftAlarm", "warning", monitor=MONITOR, version=version) for version in "12"]
            consequence = alert("PilotfishFleetNotHeard", "warning", monitor=MONITOR)
            cause = alert("PilotfishNoLeader", "critical")
            note = alert("PilotfishSidecarsOutdated", "info")
            await asyncio.to_thread(send, address, cause)
            await until(
                lambda: names(people["night"]), "the cause, which inhibits its consequence", timeout=patient(30)
            )
            await asyncio.to_thread(send, address, consequence, worse, foreign, note, *drift)
            await until(lambda: backend.taken, "the alert at the controller", timeout=patient(30))
            await until(lambda: names(people["list"]), "the route of notes", timeout=patient(30))
            wanted = {"ModelLossHigh", "PilotfishDriftAlarm"}
            await until(lambda: wanted <= names(people["office"]), "the office", timeout=patient(30))
            assert {one.monitor for one in backend.taken} == {(NAMESPACE, MONITOR)}, "the right is asked for each"
            assert {one.status for one in backend.taken} == {"firing"}
            await asyncio.to_thread(send, address, {**worse, "endsAt": datetime.now(UTC).isoformat()})
            await until(lambda: backend.taken[-1].status == "resolved", "its end", timeout=patient(30))
    assert names(people["night"]) == {"PilotfishNoLeader"}
    assert names(people["list"]) == {"PilotfishSidecarsOutdated"}
    assert names(people["office"]) == wanted, "the consequence of the missing leader is inhibited"
    groups = [json.loads(got.body)["alerts"] for got in people["office"].arrivals]
    assert any(len(group) == len(drift) for group in groups), "both versions in one message"


def test_alertmanager_groups_inhibits_and_calls_the_controller(tmp_path: Path, spawn: Children) -> None:
    asyncio.run(route_alerts(tmp_path, spawn))
