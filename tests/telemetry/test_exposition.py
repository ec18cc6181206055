"""The exposition is valid in both formats, contains the metrics of the table, and adds up."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from pilotfish.sidecar.report.schema import BLIND_REASONS
from pilotfish.sidecar.telemetry.cluster_names import CERTIFICATES, FLEET, INJECTOR
from pilotfish.sidecar.telemetry.exposition import Exposition
from pilotfish.sidecar.telemetry.gpu_names import GPU
from pilotfish.sidecar.telemetry.names import METRICS
from pilotfish.sidecar.telemetry.node_names import NODE
from pilotfish.sidecar.telemetry.resize_names import RESIZING
from pilotfish.sidecar.telemetry.scaling_names import SCALING
from pilotfish.sidecar.telemetry.scrape import ScrapeInput
from tests.telemetry.made import HOSTILE, NOW, reading, whole_report

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PREFIXES = ("pilotfish_", "process_")


@pytest.fixture
def text(tmp_path: Path) -> str:
    body, content_type = Exposition(lambda: reading(tmp_path / "page")).render("text/plain")
    assert content_type.startswith("text/plain")
    return body.decode()


@pytest.fixture
def openmetrics(tmp_path: Path) -> str:
    body, content_type = Exposition(lambda: reading(tmp_path / "page")).render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text")
    return body.decode()


def parsed_text(text: str) -> list[Family]:
    return list(parse_text(text))


def parsed_openmetrics(text: str) -> list[Family]:
    return list(parse_openmetrics(text))


def families(text: str) -> dict[str, Family]:
    return {family.name: family for family in parsed_text(text)}


def test_openmetrics_is_valid(openmetrics: str) -> None:
    assert openmetrics.endswith("# EOF\n")
    assert len(parsed_openmetrics(openmetrics)) > 30


def test_both_formats_have_the_same_samples(text: str, openmetrics: str) -> None:
    volatile = ("process_cpu", "process_resident", "process_virtual", "pilotfish_memory_data", "process_open_fds")

    def samples(found: list[Family]) -> set[tuple[str, str, float]]:
        return {
            (sample.name, str(sorted(sample.labels.items())), sample.value)
            for family in found
            for sample in family.samples
            if not sample.name.startswith(volatile)
        }

    assert samples(parsed_text(text)) == samples(parsed_openmetrics(openmetrics))


def test_exactly_the_metrics_of_the_table_are_exposed(text: str) -> None:
    exposed = {family.name + ("_total" if family.type == "counter" else "") for family in families(text).values()}
    elsewhere = {CERTIFICATES, FLEET, GPU, INJECTOR, NODE, RESIZING, SCALING}
    assert exposed == {metric.name for metric in METRICS if metric.group not in elsewhere}


def test_names_follow_prometheus() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
        assert metric.name.startswith(PREFIXES)
        assert (metric.kind == "counter") == metric.name.endswith("_total")
        assert metric.name.removesuffix("_total").endswith(metric.unit)
        assert metric.help.endswith(".")
        assert "|" not in metric.help, "it would break the table in the docs"


def test_the_outcomes_add_up_to_the_seen_exchanges(text: str) -> None:
    found = families(text)
    seen = found["pilotfish_exchanges_seen"].samples[0].value
    queued = found["pilotfish_exchanges_queued"].samples[0].value
    assert seen == 8
    assert queued == 1
    assert seen == queued + sum(sample.value for sample in found["pilotfish_exchanges"].samples)


def test_histograms_have_four_bounds_per_decade_and_count_all(text: str) -> None:
    samples = [
        item
        for item in families(text)["pilotfish_request_duration_seconds"].samples
        if item.labels["route"] == "POST /v2/models/m/infer"
    ]
    buckets = [(item.labels["le"], item.value) for item in samples if item.name.endswith("_bucket")]
    bounds = [float(bound) for bound, _ in buckets]
    assert len(bounds) == 30
    assert (bounds[0], bounds[4], bounds[-2], bounds[-1]) == (1e-5, 1e-4, 100.0, float("inf"))
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert dict(buckets)["0.001"] == 1
    assert buckets[-1][1] == next(item.value for item in samples if item.name.endswith("_count")) == 4
    assert next(item.value for item in samples if item.name.endswith("_sum")) == pytest.approx(200.043)


def test_names_from_clients_are_escaped(text: str) -> None:
    labels = {sample.labels["feature"] for sample in families(text)["pilotfish_feature_psi"].samples}
    assert labels == {HOSTILE}


def test_the_bins_of_a_distribution_are_bounded_ordered_and_distinct(text: str) -> None:
    samples = families(text)["pilotfish_feature_bin_ratio"].samples
    shares: dict[str, dict[str, float]] = {"reference": {}, "current": {}}
    for sample in samples:
        shares[sample.labels["window"]][sample.labels["bin"]] = sample.value
    assert list(shares["reference"].values()) == [0.0, 0.6, 0.4]
    assert list(shares["current"].values()) == [0.1, 0.2, 0.7]
    assert [name[:3] for name in sorted(shares["current"])] == ["01 ", "02 ", "03 "]
    assert all(len(name) <= 43 for name in shares["current"])


@pytest.mark.parametrize(
    ("features", "details", "psi", "bounds"),
    [
        ("all", "all", {"calm", "drifted", "evident"}, {"calm", "drifted", "evident"}),
        ("all", "drifted", {"calm", "drifted", "evident"}, {"drifted", "evident"}),
        ("all", "none", {"calm", "drifted", "evident"}, set()),
        ("drifted", "all", {"drifted", "evident"}, {"drifted", "evident"}),
        ("none", "all", set(), set()),
    ],
)
def test_the_document_chooses_features_and_details(
    features: str, details: str, psi: set[str], bounds: set[str]
) -> None:
    whole = whole_report()
    (one,) = whole.features
    replace = msgspec.structs.replace
    made = (
        replace(one, name="calm", episode_id=None, evidence_ratio=0.99),
        replace(one, name="drifted", evidence_ratio=0.0),
        replace(one, name="evident", episode_id=None, evidence_ratio=1.0),
    )
    given = ScrapeInput(
        report=replace(whole, features=made), page=None, control=None, now=NOW, features=features, details=details
    )
    found = families(Exposition(lambda: given).render("")[0].decode())

    def named(metric: str) -> set[str]:
        return {sample.labels["feature"] for sample in found[metric].samples} if metric in found else set()

    assert named("pilotfish_feature_psi") == named("pilotfish_feature_evidence_ratio") == psi
    assert named("pilotfish_feature_psi_lower") == named("pilotfish_feature_bin_ratio") == bounds
    assert named("pilotfish_feature_onset_timestamp_seconds") == psi & {"drifted"}, "the others have no episode"
    assert "pilotfish_drift_evidence_ratio" in found, "families are always exported"


def test_without_a_proxy_other_metrics_are_exposed() -> None:
    without_proxy = ScrapeInput(report=whole_report(), page=None, control=None, now=NOW)
    found = families(Exposition(lambda: without_proxy).render("")[0].decode())
    assert found["pilotfish_proxy_up"].samples[0].value == 0
    assert "pilotfish_exchanges" not in found
    assert "pilotfish_intents" not in found
    assert found["pilotfish_drift_evidence_ratio"].samples[0].value == 2


def test_a_stopped_proxy_is_not_up(tmp_path: Path) -> None:
    whole = reading(tmp_path / "page")
    later = ScrapeInput(report=whole.report, page=whole.page, control=None, now=NOW + 60)
    found = families(Exposition(lambda: later).render("")[0].decode())
    assert found["pilotfish_proxy_up"].samples[0].value == 0


def test_the_alert_rules_of_the_docs_name_metrics_that_exist() -> None:
    text = (Path(__file__).parents[2] / "docs/blind-spots.md").read_text()
    named = set(re.findall(r"\bpilotfish_\w+", text))
    assert named <= {metric.name for metric in METRICS}
    assert "pilotfish_blind" in named


def test_the_warnings_of_the_report_are_counted(text: str) -> None:
    assert families(text)["pilotfish_warnings"].samples[0].value == len(whole_report().warnings) == 1


def test_every_reason_for_blindness_has_a_sample_so_that_alerts_resolve(text: str) -> None:
    found = {sample.labels["reason"]: sample.value for sample in families(text)["pilotfish_blind"].samples}
    assert found == {reason: float(reason == "columns_absent") for reason in BLIND_REASONS}


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", "text/plain; version=0.0.4"),
        ("*/*", "text/plain; version=0.0.4"),
        ("text/html", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4", "text/plain; version=0.0.4"),
        ("application/openmetrics-text, text/plain;version=0.0.4", "application/openmetrics-text; version=1.0.0"),
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            "application/openmetrics-text; version=1.0.0",
        ),
        ("application/openmetrics-text;version=0.0.1,text/plain;q=0.5", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=x,text/plain;q=0.5", "text/plain; version=0.0.4"),
        ("text/plain, application/openmetrics-text;version=1.0.0;q=0", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;q=0, */*", "text/plain; version=0.0.4"),
        ("text/plain;q=1.0, application/openmetrics-text;version=1.0.0;q=0.1", "text/plain; version=0.0.4"),
        ("text/plain;q=0, */*", "application/openmetrics-text; version=1.0.0"),
        ("application/*, text/*;q=0.1", "application/openmetrics-text; version=1.0.0"),
    ],
)
def test_the_format_follows_the_qualities_of_accept(accept: str, wanted: str) -> None:
    without_proxy = ScrapeInput(report=whole_report(), page=None, control=None, now=NOW)
    _, content_type = Exposition(lambda: without_proxy).render(accept)
    assert content_type.startswith(wanted)
