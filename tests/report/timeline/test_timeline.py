"""The timeline holds what the windows hold, and its histograms contain every row."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import TickCounts
from pilotfish.detectors.summaries.windows import Windows, window_levels
from pilotfish.sidecar.report.response import ReportResponse
from pilotfish.sidecar.report.schema import TickStatus
from pilotfish.sidecar.report.timeline.build import STEP_ROWS, time_line
from pilotfish.sidecar.report.timeline.histogram_layout import HistogramLayout
from pilotfish.sidecar.report.timeline.schema import Timeline
from tests.detectors.material import mixed_profile, tick
from tests.report.pages.made import FIRST, answer, both, drifting

DAYS = 20


def test_spans_steps_and_series_agree() -> None:
    _, line = both()
    assert [span.first_tick for span in line.spans][-1] == FIRST + 119
    assert sum(span.rows["input"] for span in line.spans) == sum(step.rows["input"] for step in line.steps) == 120 * 20
    assert all(step.rows["input"] >= STEP_ROWS for step in line.steps)
    for trend in line.features:
        assert {len(trend.psi), len(trend.psi_low), len(trend.missing_ratio), len(trend.rows)} == {len(line.steps)}
    assert max(span.evidence["features"] for span in line.spans) >= 1
    amount = next(trend for trend in line.features if trend.name == "amount")
    assert amount.psi[0] is not None
    assert amount.psi[-1] is not None
    assert amount.psi[0] < 0.3 < amount.psi[-1]


def test_a_drift_has_the_histogram_since_its_onset() -> None:
    made, line = both()
    drift = line.drifts[0]
    assert (drift.name, drift.open, drift.effects is not None) == ("amount", True, True)
    assert drift.first_tick >= FIRST + 78
    assert drift.histogram.rows == sum(span.rows["input"] for span in line.spans if span.first_tick >= drift.first_tick)
    assert sum(drift.histogram.current) == pytest.approx(1.0, abs=1e-4)
    assert made.episodes[0].open


def test_an_ended_drift_ends() -> None:
    profile, monitor = drifting()
    made = answer(profile, monitor)
    member = msgspec.structs.replace(made.episodes[0].features[0], active=False, closed_tick=FIRST + 99)
    ended = msgspec.structs.replace(
        made.episodes[0], open=False, closed_tick=FIRST + 99, closed_by="recovery", features=(member,)
    )
    old = msgspec.structs.replace(ended, id="old", onset_tick=1, features=(
        msgspec.structs.replace(member, onset_tick=1, closed_tick=5),))  # fmt: skip
    former = msgspec.structs.replace(ended, id="of another profile", closed_by="profile")
    episodes = (ended, old, former)
    line = time_line(profile, monitor.windows.snapshot(), msgspec.structs.replace(made, episodes=episodes))
    assert [(drift.open, drift.last_tick, drift.effects) for drift in line.drifts] == [(False, FIRST + 99, None)]


def test_a_timeline_survives_json() -> None:
    _, line = both()
    assert msgspec.json.decode(msgspec.json.encode(line), type=Timeline) == line


def test_without_a_profile_the_timeline_is_empty() -> None:
    profile, monitor = drifting()
    assert time_line(None, (), answer(profile, monitor)) == Timeline(tick_seconds=60.0)


def test_bars_contain_every_row_of_every_kind_of_feature() -> None:
    profile = mixed_profile()
    counts = tick(profile, np.random.default_rng(3), rows=500)
    for feature in profile.features:
        frame = HistogramLayout.of(feature, 60.0)
        assert frame.matrix.sum(axis=0) == pytest.approx(1.0)
        found = frame.histogram(counts.of(profile, feature.name), None)
        assert sum(found.reference) == pytest.approx(1.0, abs=1e-4)
        assert sum(found.current) == pytest.approx(1.0, abs=1e-4)
        assert len(found.labels) == len(found.reference) == len(found.current)
        assert list(found.edges) == sorted(found.edges)


def test_a_feature_with_slots_is_compared_with_the_same_hours() -> None:
    rng = np.random.default_rng(5)
    times = np.arange(0.0, 86_400.0 * DAYS, 60.0, dtype=np.float64)
    wave = np.sin(2 * np.pi * times / 86_400) * 3 + rng.normal(size=len(times))
    profile = build_profile({"load": wave}, times=times, tick_seconds=600.0)
    assert profile.features[0].slots is not None
    counts, windows = TickCounts(profile), Windows(profile, window_levels(600.0))
    for number in range(36):  # six hours of the first night
        counts.add(Batch({"load": wave[number * 10 : number * 10 + 10]}, 10))
        windows.add(number, counts.take())
    made = ReportResponse(made_at=0, started_at=0, state="watching", ticks=TickStatus(tick_seconds=600.0))
    timed = time_line(profile, windows.snapshot(), made).features[0]
    blind = msgspec.structs.replace(made, ticks=TickStatus(tick_seconds=600.0, rows_per_tick=10.0))
    whole = time_line(profile, windows.snapshot(), blind).features[0]
    assert max(timed.psi[0] or 0.0, timed.psi[-1] or 0.0) < 0.2 < (whole.psi[-1] or 0.0)
    assert timed.histogram.reference != whole.histogram.reference
