"""docs/dashboards.md states how many series a sidecar has; the exposition has as many."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from pilotfish.sidecar.telemetry.exposition import Exposition
from tests.telemetry.made import reading

PAGE = (Path(__file__).resolve().parents[2] / "docs/dashboards.md").read_text()
BINS = 3  # of the made feature
ROUTES = 2  # of the made page, with streams, and one class of status each


def counted(folder: Path) -> Counter[str]:
    """Return the series of a made sidecar by what they grow with."""
    given = reading(folder / "page")
    text = Exposition(lambda: given)
    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(text.render("")[0].decode()):
        for sample in family.samples:
            of_route = sample.labels.get("route", "probes") not in ("probes", "other")
            stream = family.name in ("pilotfish_event_gap_seconds", "pilotfish_time_to_first_event_seconds")
            part = next((label for label in ("feature", "family") if label in sample.labels), "fixed")
            details = family.name.endswith(("_lower", "_upper", "_onset_timestamp_seconds"))
            part = "bin" if "bin" in sample.labels else "drifted" if details else part
            part = "stream" if of_route and stream else "route" if of_route else part
            part = "language" if family.name.startswith("pilotfish_token") else part
            found[part] += 1
            if of_route and (family.type != "histogram" or sample.name.endswith("_count")):
                found[f"native_{part}"] += 1
    return found


def test_the_documented_numbers_are_those_of_the_exposition(tmp_path: Path) -> None:
    found = counted(tmp_path)
    stated = {name: int(number) for name, number in re.findall(r"<!-- (\w+) -->(\d+)", PAGE)}
    assert stated == {
        "bin": found["bin"] // BINS,
        "drifted": found["drifted"],
        "family": found["family"],
        "feature": found["feature"],
        "fixed": found["fixed"],
        "language": found["language"],
        "route": found["route"] // ROUTES,
        "native_route": found["native_route"] // ROUTES,
        "native_stream": found["native_stream"] // ROUTES,
        "stream": found["stream"] // ROUTES,
    }


def kept(name: str, le: str, rules: list[dict[str, Any]]) -> bool:
    """Return whether Prometheus keeps a series: it joins labels by semicolons, and a pattern matches as a whole."""
    labels = {"__name__": name, "le": le}
    return not any(
        re.fullmatch(rule["regex"], ";".join(labels[label] for label in rule["source_labels"])) for rule in rules
    )


def test_the_documented_rules_drop_what_they_say(tmp_path: Path) -> None:
    block = next(text for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "metric_relabel" in text)
    rules = yaml.safe_load(block)["metric_relabel_configs"]
    assert {rule["action"] for rule in rules} == {"drop"}
    given = reading(tmp_path / "page")
    text = Exposition(lambda: given).render("")[0].decode()
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    dropped = {name for name in names if not kept(name, "", rules)}
    streams = ("pilotfish_event_gap_seconds", "pilotfish_time_to_first_event_seconds")
    assert dropped == {name for name in names if name.startswith(("pilotfish_feature_", *streams))}
    buckets = {
        sample.labels["le"]: kept(sample.name, sample.labels["le"], rules)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "pilotfish_request_duration_seconds_bucket"
    }
    shown = [bound for bound in sorted(map(float, buckets)) if math.isfinite(bound) and buckets[str(bound)]]
    assert len(shown) == 15
    assert all(2.5 < after / before < 4 for before, after in pairwise(shown)), shown


def test_a_pod_of_the_example_has_the_stated_number() -> None:
    stated = {name: int(number) for name, number in re.findall(r"<!-- (\w+) -->(\d+)", PAGE)}
    pod = stated["fixed"] + 2 * stated["route"] + 50 * stated["feature"] + stated["family"]
    assert abs(pod - 720) < 10
