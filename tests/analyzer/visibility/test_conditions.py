"""Blind spots from counters: when they begin and end, and laws for any counters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.feedback.unused import UNUSED_REASONS
from pilotfish.sidecar.analyzer.snapshot import Snapshot
from pilotfish.sidecar.analyzer.visibility import watch
from pilotfish.sidecar.analyzer.visibility.readiness import readiness
from pilotfish.sidecar.analyzer.visibility.readings import Reading, View
from pilotfish.sidecar.analyzer.visibility.traffic import (
    DOWNGRADES,
    DROPS,
    LOST_LATER,
    OPAQUE_REMEDIES,
    OTHER_ENDPOINTS,
    UNREAD_REMEDIES,
)
from pilotfish.sidecar.analyzer.visibility.watch import BlindSpotWatch
from pilotfish.sidecar.channel import layout
from pilotfish.sidecar.channel.page import PageSnapshot
from pilotfish.sidecar.labels.labels import OUTCOMES as LABEL_OUTCOMES
from pilotfish.sidecar.report import schema as report
from pilotfish.sidecar.report.problems import EVERYDAY, REASONS, REMEDIES
from pilotfish.sidecar.report.schema import BLIND_REASONS
from tests.support.examples import examples
from tests.telemetry.made import NOW, page, whole_report

AMOUNTS = st.integers(0, 60)
EMPTY: dict[str, Any] = {
    **{key: {} for key in ("outcomes", "undecodable", "unread", "labels", "unused")},
    **dict.fromkeys(("measured", "opaque", "bytes", "late"), 0),
}


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> PageSnapshot:
    """Return a page of a running proxy that has seen nothing."""
    found = page(Path(tmp_path_factory.mktemp("page")) / "page")
    return replace(found, has_reader=True, outcomes=dict.fromkeys(layout.OUTCOMES, 0), routes=())


@st.composite
def steps(draw: st.DrawFn) -> dict[str, Any]:
    """Return how much each counter grows until the next reading."""
    return {
        "outcomes": draw(st.dictionaries(st.sampled_from(layout.OUTCOMES[1:]), AMOUNTS, max_size=3)),
        "measured": draw(AMOUNTS),
        "undecodable": draw(st.dictionaries(st.sampled_from(sorted(REASONS)), AMOUNTS, max_size=3)),
        "unread": draw(st.dictionaries(st.sampled_from(sorted(REASONS)), AMOUNTS, max_size=2)),
        "labels": draw(st.dictionaries(st.sampled_from(LABEL_OUTCOMES), AMOUNTS, max_size=2)),
        "unused": draw(st.dictionaries(st.sampled_from(sorted(UNUSED_REASONS)), AMOUNTS, max_size=2)),
        "opaque": draw(AMOUNTS),
        "bytes": draw(st.integers(0, 10_000)),
        "late": draw(AMOUNTS),
    }


def add(into: dict[Any, int], amounts: dict[Any, int]) -> None:
    for key, amount in amounts.items():
        into[key] = into.get(key, 0) + amount


class Counting:
    """The counters of a proxy and an analyzer."""

    def __init__(self, quiet: PageSnapshot) -> None:
        self._page = quiet
        self._outcomes: dict[Any, int] = {}
        self._counts: dict[Any, int] = {}
        self._more: dict[str, dict[Any, int]] = {"unread": {}, "labels": {}, "unused": {}, "downgrades": {}}
        self._plain: dict[Any, int] = {}

    def reading(self, step: dict[str, Any], now: float) -> Reading:
        undecodable = {("undecodable", reason): amount for reason, amount in step["undecodable"].items()}
        counted = {("measured", ""): step["measured"], **undecodable}
        add(self._outcomes, {**step["outcomes"], ("accepted", ""): sum(counted.values())})
        add(self._counts, counted)
        for name in ("unread", "labels", "unused"):
            add(self._more[name], step[name])
        add(self._plain, {name: step[name] for name in ("opaque", "bytes", "late", "measured")})
        made = msgspec.structs.replace(
            whole_report(),
            counts=tuple(report.ExchangeCount(fate, reason, amount) for (fate, reason), amount in self._counts.items()),
            rows=(report.RowCount("m", "input", self._plain["measured"]),),
            predictions_unread=dict(self._more["unread"]),
            feedback=report.FeedbackStatus(
                labels=tuple(report.LabelOutcome(key, amount) for key, amount in self._more["labels"].items()),
                unused=dict(self._more["unused"]),
            ),
            ticks=report.TickStatus(tick_seconds=60, late_rows=self._plain["late"]),
        )
        page = replace(
            self._page,
            heartbeat_ns=int(now * 1e9),
            outcomes={**self._page.outcomes, **self._outcomes},
            downgrades={**self._page.downgrades, "http2": self._plain["opaque"]},
            connections={
                **self._page.connections,
                "opaque": self._plain["opaque"],
                "opaque_bytes_in": self._plain["bytes"],
            },
        )
        return Reading(now=now, snapshot=Snapshot(made), page=page)


@pytest.mark.long
@given(st.lists(steps(), max_size=8))
@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_counters_give_well_formed_blind_spots(quiet: PageSnapshot, history: list[dict[str, Any]]) -> None:
    made, counting = BlindSpotWatch(), Counting(quiet)
    for index, step in enumerate(history):
        reading = counting.reading(step, NOW + index)
        made.update(reading)
        found = readiness(reading, made.spots)
        assert len({spot.reason for spot in found.spots}) == len(found.spots)
        for spot in found.spots:
            assert spot.reason in BLIND_REASONS
            assert len(spot.text) < 2000
            assert spot.text.isprintable()
            assert NOW <= spot.since <= reading.now
        assert found.ready == (found.status in ("ready", "partly_blind"))
        assert found.ready == (not any(spot.total for spot in found.spots))
        assert (found.status == "ready") == (not found.spots)


@given(
    st.sampled_from(sorted(REASONS.keys() - EVERYDAY)), st.integers(0, 200), st.integers(20, 100), st.integers(0, 500)
)
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_twenty_exchanges_without_a_measured_one_are_never_ready(
    quiet: PageSnapshot, reason: str, measured_before: int, failed: int, pause: int
) -> None:
    made, counting = BlindSpotWatch(), Counting(quiet)
    made.update(counting.reading({**EMPTY, "measured": measured_before}, NOW))
    reading = counting.reading({**EMPTY, "undecodable": {reason: failed}}, NOW + pause)
    made.update(reading)
    found = readiness(reading, made.spots)
    assert (found.ready, found.status) == (False, "blind")
    assert reason in found.spots[0].text
    assert f"{failed} {reason}" in found.spots[0].text


def test_the_first_exchange_that_cannot_be_decoded_is_said_and_some_of_them_are_total(quiet: PageSnapshot) -> None:
    made, counting = BlindSpotWatch(), Counting(quiet)
    for failed, ready in ((1, "partly_blind"), (1, "partly_blind"), (3, "blind")):
        reading = counting.reading({**EMPTY, "undecodable": {"unknown_protocol": failed}}, NOW)
        made.update(reading)
        assert readiness(reading, made.spots).status == ready


@pytest.mark.parametrize(("failed", "status"), [(15, "partly_blind"), (4, "ready")])
def test_a_tenth_that_cannot_be_decoded_is_said(quiet: PageSnapshot, failed: int, status: str) -> None:
    made, counting = BlindSpotWatch(), Counting(quiet)
    for _ in range(5):
        step = {**EMPTY, "undecodable": {"unknown_protocol": failed}, "measured": 100 - failed}
        reading = counting.reading(step, NOW)
        made.update(reading)
    assert readiness(reading, made.spots).status == status


def opaque_beside(quiet: PageSnapshot, pauses: int) -> BlindSpotWatch:
    """Return the state after measured traffic that pauses for a number of readings beside one opaque connection."""
    made, counting = BlindSpotWatch(), Counting(quiet)
    made.update(counting.reading({**EMPTY, "opaque": 1, "measured": 50}, NOW))
    for second in range(20):
        made.update(counting.reading({**EMPTY, "measured": 50}, NOW + second))
    for second in range(pauses):
        made.update(counting.reading({**EMPTY, "bytes": 9000}, NOW + 20 + second))
    return made


@pytest.mark.parametrize("pauses", [1, 3, 9])
def test_a_pause_beside_an_opaque_connection_is_not_total(quiet: PageSnapshot, pauses: int) -> None:
    assert not any(spot.total for spot in opaque_beside(quiet, pauses).spots)


@pytest.mark.parametrize("pauses", [10, 15])
def test_the_text_about_opaque_traffic_never_has_a_zero(quiet: PageSnapshot, pauses: int) -> None:
    (spot,) = opaque_beside(quiet, pauses).spots
    assert spot.total
    assert "connections that were open before" in spot.text
    assert " 0 " not in spot.text


def test_a_proxy_that_dies_is_not_said_to_be_well_in_between(
    quiet: PageSnapshot, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    made, counting = BlindSpotWatch(), Counting(quiet)
    for seconds in range(20):
        reading = counting.reading(EMPTY, NOW + seconds)
        page_now = replace(quiet, heartbeat_ns=int(NOW * 1e9))
        made.update(replace(reading, page=page_now, connected=seconds < 2))
    assert [line.split(":")[0] for line in caplog.messages] == [
        "blind (no_reader)",
        "blind (no_proxy)",
        "no longer blind (no_reader)",
    ]


def test_the_words_are_about_reasons_that_exist() -> None:
    assert DOWNGRADES.keys() == set(layout.DOWNGRADES)
    assert OPAQUE_REMEDIES.keys() <= DOWNGRADES.keys()
    assert REMEDIES.keys() | UNREAD_REMEDIES.keys() | OTHER_ENDPOINTS.keys() <= REASONS.keys()
    assert DROPS.keys() <= {reason for _, reason in layout.OUTCOMES} | set(LOST_LATER)


def test_a_defect_of_a_condition_is_a_blind_spot_logged_once_and_ends_nothing(
    quiet: PageSnapshot, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: View) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(watch, "CONDITIONS", {"broken": broken, **watch.CONDITIONS})
    made, counting = BlindSpotWatch(), Counting(quiet)
    for index in range(3):
        made.update(counting.reading({**EMPTY, "undecodable": {"ragged": 30}}, NOW + index))
    assert [(spot.reason, spot.total) for spot in made.spots] == [("undecoded", True), ("broken", False)]
    assert "cannot be found out, because of a defect" in made.spots[1].text
    assert sum("broken failed" in line for line in caplog.messages) == 1
