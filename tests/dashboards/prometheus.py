"""A real Prometheus: its configuration, and its query API; Grafana's variables are substituted as Grafana does."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.ports import free_port
from tests.support.processes import Children
from tests.support.programs import find
from tests.support.waiting import patient, wait_until

INTERVAL = 3  # seconds between two scrapes, and the limit of one: the machine of a test may be busy
VARIABLES = {
    "__rate_interval": "15s",
    "__range": "5m",
    "datasource": "prometheus",
    "objective": "0.999",
}  # all others are All


@dataclass(frozen=True)
class ScrapeTarget:
    """One target: its port, the labels that Prometheus adds, and whether labels in its samples win over them."""

    job: str
    port: int
    labels: Mapping[str, str]
    honor: bool = False


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    started: float

    def ready(self) -> bool:
        """Return whether it answers queries."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=patient(5)):
                return True
        except OSError:
            return False

    def instant(self, expr: str) -> list[dict[str, Any]]:
        """Return the series of an instant query; raise AssertionError with the server's error."""
        return self._get("query", query=expr)

    def range(self, expr: str, seconds: float, step: float) -> list[dict[str, Any]]:
        """Return the series of a range query over the last `seconds`."""
        end = time.time()
        return self._get("query_range", query=expr, start=str(end - seconds), end=str(end), step=str(step))

    def value(self, expr: str) -> float:
        """Return the value of an instant query with one series; NaN without a series."""
        found = self.instant(substituted(expr))
        return float(found[0]["value"][1]) if found else float("nan")

    def _get(self, path: str, **query: str) -> list[dict[str, Any]]:
        url = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=patient(30)) as response:
                found = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{query['query']}: {error.read().decode()}") from error
        return list(found["data"]["result"])


def substituted(expr: str, chosen: Mapping[str, str] | None = None) -> str:
    """Return an expression with Grafana's variables replaced; a variable without a choice is All."""
    values = {**VARIABLES, **(chosen or {})}
    names = ("__rate_interval", "__range", "objective", "namespace", "monitor", "model", "version", "pod", "feature")
    for name in names:
        expr = expr.replace(f"${{{name}}}", values.get(name, ".*")).replace(f"${name}", values.get(name, ".*"))
    return expr


def start(
    folder: Path, spawn: Children, targets: Sequence[ScrapeTarget], rules: str = "", **scrape: object
) -> Prometheus:
    """Start a Prometheus that scrapes the targets, and wait until every one was scraped.

    Args:
        rules: the text of a file of rules, or nothing.
        scrape: further settings of each scrape configuration.
    """
    jobs = [
        {
            "job_name": f"{target.job}-{number}",
            "honor_labels": target.honor,
            **scrape,
            "static_configs": [{"targets": [f"127.0.0.1:{target.port}"], "labels": dict(target.labels)}],
        }
        for number, target in enumerate(targets)
    ]
    interval = {"scrape_interval": f"{INTERVAL}s", "scrape_timeout": f"{INTERVAL}s"}
    config = folder / "prometheus.yml"
    (folder / "rules.yml").write_text(rules or "groups: []\n")
    config.write_text(yaml.safe_dump({"global": interval, "rule_files": ["rules.yml"], "scrape_configs": jobs}))
    address = f"127.0.0.1:{free_port()}"
    spawn(
        find("prometheus") or "",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
        "--log.level=warn",
    )
    server = Prometheus(f"http://{address}", time.time())

    wait_until(server.ready, timeout=60, what="Prometheus")
    wait_until(lambda: len(server.instant("up == 1")) == len(targets), timeout=60, what="a scrape of every target")
    return server
