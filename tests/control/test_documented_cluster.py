"""The documents, rules and routes in docs/retraining-cluster.md work as they are written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import yaml

from pilotfish.sidecar.control.cluster import OBJECTS
from pilotfish.sidecar.control.ledger import IntentLedger
from pilotfish.sidecar.control.observe import build_situation
from pilotfish.sidecar.control.retrain.alerts import AlertBook, parse_alerts
from pilotfish.sidecar.control.retrain.policy import wanted_intents
from pilotfish.sidecar.settings.load import parse_resource
from tests.control.situations import NOON
from tests.control.test_alerts import alert, payload
from tests.control.test_observe import REPORT
from tests.support.programs import find, needs

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "retraining-cluster.md").read_text()
BLOCKS: list[dict[str, Any]] = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
MONITORS = [block for block in BLOCKS if block.get("kind") == "ModelMonitor"]
(RULES,) = (block for block in BLOCKS if "groups" in block)
(ROUTE,) = (block for block in BLOCKS if "route" in block)
RULE = RULES["groups"][0]["rules"][0]


def test_the_documents_are_valid_in_a_cluster() -> None:
    assert len(MONITORS) == 2
    for document in MONITORS:
        parse_resource(msgspec.json.encode(document), "docs")
    assert all(f"`{key}: {{" in PAGE for key in OBJECTS)


@needs("promtool")
def test_the_rule_is_valid(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(RULES))
    subprocess.run([find("promtool") or "", "check", "rules", str(path)], check=True, capture_output=True)


def test_the_route_sends_the_alert_of_the_rule_to_the_controller_and_it_requests_a_retraining() -> None:
    route, people = ROUTE["route"]["routes"]
    assert route["continue"]
    assert people == {"receiver": ROUTE["route"]["receiver"]}, "the root alone would not get what a route continues"
    by_name = {receiver["name"]: receiver for receiver in ROUTE["receivers"]}
    (webhook,) = by_name[route["receiver"]]["webhook_configs"]
    assert webhook["url"].endswith("/v1/alerts")
    assert webhook["send_resolved"]
    labels = {"alertname": RULE["alert"], "namespace": "flights", "monitor": "delays", **RULE["labels"]}
    for matcher in route["matchers"]:
        name, operator, value = re.fullmatch(r'(\w+) (!?=) "(.*)"', matcher).groups()  # type: ignore[union-attr]
        assert (labels[name] == value) == (operator == "=")
    book = AlertBook()
    book.take(parse_alerts(payload(alert(labels=labels))), NOON)
    monitor = parse_resource(msgspec.json.encode(MONITORS[1]), "docs")
    found = build_situation(
        msgspec.structs.replace(REPORT, episodes=()),
        monitor,
        IntentLedger(),
        NOON,
        cluster=True,
        alerts=book.facts("flights", monitor.metadata.name, NOON),
    )
    assert [intent.why for intent in wanted_intents(found)] == ["alert"]
