"""The settings of the document reach the worker and the proxy, and no secret reaches `GET /config`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pilotfish.sidecar.analyzer.configuration import Configuration, configure, proxy_settings, redacted_document
from pilotfish.sidecar.analyzer.engine import effect_sizes_only

HEAD = "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: m}\n"


def configured(folder: Path, spec: dict[str, Any]) -> Configuration:
    (folder / "monitor.yaml").write_text(HEAD + "spec: " + msgspec.json.encode(spec).decode())
    return configure(folder / "monitor.yaml", effect_sizes_only)


@pytest.mark.parametrize(
    ("version", "profiles", "chosen"),
    [
        ("7", [("6", "six"), ("7", "seven")], "seven"),
        ("7", [("", "any"), ("7", "seven")], "seven"),
        ("7", [("6", "six"), ("", "any")], "any"),
        ("7", [("6", "six")], None),
        ("", [("6", "six")], "six"),
        ("", [("6", "six"), ("7", "seven")], None),
        ("7", [], None),
    ],
)
def test_the_profile_of_the_version_that_runs_is_chosen(
    tmp_path: Path, version: str, profiles: list[tuple[str, str]], chosen: str | None
) -> None:
    sources = [{"version": name, "path": path} for name, path in profiles]
    found = configured(tmp_path, {"model": {"version": version}, "profiles": sources})
    assert found.profile_path == (tmp_path / chosen if chosen else None)


def test_detection_takes_its_settings(tmp_path: Path) -> None:
    drift = {
        "tick": "30s",
        "falseAlarms": {"count": 2, "per": "7d"},
        "tolerance": 0.01,
        "features": {"a": {"tolerance": 0.05}, "b": {"ignore": True}},
    }
    found = configured(tmp_path, {"drift": drift}).settings.drift
    assert (found.tick_seconds, found.false_alarms, found.per_seconds, found.tolerance) == (30, 2, 7 * 86400, 0.01)
    assert (dict(found.feature_tolerance), found.ignore) == ({"a": 0.05}, ("b",))


def test_the_proxy_takes_its_settings(tmp_path: Path) -> None:
    traffic = {"maxRecordsPerSecond": 5, "bodyLimit": "2Mi", "routes": ["/score/{x}"], "probes": ["/up"]}
    found = configured(tmp_path, {"traffic": traffic})
    settings = proxy_settings(found.document)
    assert (settings.max_records_per_second, settings.body_limit) == (5, 2 << 20)
    assert (settings.routes, settings.probes) == (("/score/{x}",), ("/up",))
    assert found.settings.hints.body_limit >= settings.body_limit


def test_a_profile_that_only_a_cluster_can_fetch_leaves_a_laptop_idle(tmp_path: Path) -> None:
    found = configured(tmp_path, {"profiles": [{"configMap": "m-profile"}]})
    assert (found.document, found.profile_path) == (None, None)
    assert "$.spec.profiles[0].configMap (line 4): works in a cluster only" in found.settings.problem
    inside = configure(tmp_path / "monitor.yaml", effect_sizes_only, cluster=True)
    assert (inside.document is not None, inside.settings.problem) == (True, "")


def test_addresses_are_shown_without_what_may_be_secret(tmp_path: Path) -> None:
    webhook = {"url": "https://trainer.example/hook?key=hidden#hidden"}
    found = configured(tmp_path, {"retrain": {"webhook": webhook}})
    shown = redacted_document(found.document)
    assert shown["spec"]["retrain"]["webhook"]["url"] == "https://trainer.example/…"
    assert "hidden" not in str(shown)


def test_without_a_document_there_is_nothing_to_show() -> None:
    found = configure(None, effect_sizes_only)
    assert (found.document, found.settings.problem, redacted_document(None)) == (None, "", None)
