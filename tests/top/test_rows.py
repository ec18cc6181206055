"""Rows of models, pods and routes from a snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilotfish.sidecar.top.exposition import MonitorDrift
from pilotfish.sidecar.top.history import NEVER, MonitorState, SourceName, TopSnapshot
from pilotfish.sidecar.top.rows import age_text, rows
from tests.top.made import POD, history, metrics

OTHER = SourceName("shop", "delays-1")
USED = {"cpu": 1.0, "gpu": 0.5, "cost": 0.02}


def two_pods(**more: object) -> TopSnapshot:
    begin = {name: metrics(seconds=dict.fromkeys(USED, 0.0), **more) for name in (POD, OTHER)}
    end = {name: metrics(requests=20, failed=2, seconds=USED, **more) for name in (POD, OTHER)}
    return history((0.0, begin), (2.0, end)).snapshot(2.0)


def test_a_model_has_the_figures_of_all_pods() -> None:
    (row,) = rows(two_pods())
    assert (row.model, row.version, row.part, row.answering, row.asked) == ("delays", "7", "", 2, 2)
    assert (row.requests_per_second, row.error_ratio) == (20.0, 0.1)
    assert (row.cpu_cores, row.gpus) == (1.0, 0.5)
    assert (row.cpu_seconds_per_request, row.gpu_seconds_per_request, row.cost_per_1000) == (0.05, 0.025, 1.0)
    assert row.p95_seconds == pytest.approx(0.055)
    assert (row.tone, row.silent_seconds) == ("good", None)


def test_pods_and_routes_have_rows_of_their_own() -> None:
    assert [(row.part, row.requests_per_second) for row in rows(two_pods(), "pod")] == [
        ("delays-0", 10.0),
        ("delays-1", 10.0),
    ]
    assert [(row.part, row.requests_per_second) for row in rows(two_pods(), "route")] == [("POST /predict", 20.0)]


def test_versions_of_a_model_are_apart() -> None:
    begin = {POD: metrics(), OTHER: metrics(version="8")}
    end = {POD: metrics(requests=2), OTHER: metrics(version="8", requests=4)}
    found = rows(history((0.0, begin), (1.0, end)).snapshot(1.0))
    assert {row.version: row.requests_per_second for row in found} == {"7": 2.0, "8": 4.0}


def test_a_part_that_is_silent_is_in_no_sum_and_shown() -> None:
    found = history(
        (0.0, {POD: metrics(), OTHER: metrics()}), (2.0, {POD: metrics(requests=20), OTHER: None})
    ).snapshot(9.0)
    (row,) = rows(found)
    assert (row.requests_per_second, row.answering, row.asked, row.silent_seconds) == (10.0, 1, 2, 9.0)
    assert (row.state, row.tone, row.reason) == ("1 of 2 no answer 9 s", "warning", "connection refused")


def test_a_model_of_silent_sidecars_has_no_figure() -> None:
    found = history((0.0, {POD: metrics()}), (2.0, {POD: metrics(requests=5)}), (4.0, {POD: None})).snapshot(64.0)
    (row,) = rows(found)
    assert (row.requests_per_second, row.p95_seconds, row.drift, row.episodes) == (None,) * 4
    assert (row.state, row.tone) == ("no answer 1 min", "bad")


def test_a_sum_waits_for_a_pod_that_has_just_started() -> None:
    found = history((0.0, {POD: metrics()}), (2.0, {POD: metrics(requests=5), OTHER: metrics()})).snapshot(2.0)
    assert rows(found)[0].requests_per_second is None


def test_a_proxy_without_a_heartbeat_is_bad() -> None:
    (row,) = rows(history((0.0, {POD: metrics(up=0)})).snapshot(0.0))
    assert (row.state, row.tone) == ("proxy silent", "bad")


def test_a_monitor_has_the_pods_and_the_drift_of_the_controller() -> None:
    state = MonitorState(heard=3, expected=4, desired=5, state="watching", version="7")
    found = replace(
        two_pods(monitor="flights"),
        monitors={("shop", "flights"): state, ("shop", "quiet"): MonitorState(state="NoPods", tone="bad")},
        drift={("shop", "flights", "7"): MonitorDrift(0.4, 0)},
    )
    pods = [row for row in rows(found, "pod") if row.part]
    assert [(row.asked, row.expected, row.desired) for row in pods] == [(1, None, None)] * 2, "those of all pods"
    row, quiet = rows(found)
    assert (row.model, row.heard, row.expected, row.desired, row.drift) == ("flights", 3, 4, 5, 0.4)
    assert (quiet.model, quiet.asked, quiet.requests_per_second, quiet.state) == ("quiet", 0, None, "NoPods")


def test_a_status_that_nobody_keeps_up_to_date_is_not_shown() -> None:
    state = MonitorState(heard=3, expected=3, state="watching")
    found = replace(two_pods(monitor="flights"), monitors={("shop", "flights"): state}, control_age=40.0)
    (row,) = rows(found)
    assert (row.heard, row.drift, row.state, row.tone) == (None, None, "controller: no answer 40 s", "bad")
    assert row.requests_per_second == 20.0, "the pods answer"


def test_a_silent_api_server_is_named() -> None:
    found = TopSnapshot(monitors={("shop", "delays"): MonitorState()}, age=12.0)
    (row,) = rows(found)
    assert (row.state, row.tone, row.silent_seconds) == ("no answer 12 s", "bad", 12.0)


def test_evidence_of_sidecars_is_shown_without_a_controller() -> None:
    (row,) = rows(history((0.0, {POD: metrics(evidence=0.3, blind="undecoded")})).snapshot(0.0))
    assert (row.drift, row.state, row.reason) == (0.3, "blind", "undecoded")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.0, "59 s"), (60.0, "1 min"), (7200.0, "2 h"), (172800.0, "2 d"), (NEVER, "yet"), (None, "")],
)
def test_ages_have_one_unit(seconds: float | None, text: str) -> None:
    assert age_text(seconds) == text
