"""Records become counts and evidence; a new profile, a restart or a late row loses no count."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.analyzer.checkpoint import parse, render
from pilotfish.sidecar.analyzer.counters import Counters
from pilotfish.sidecar.analyzer.decode import DecodedExchange, Rows
from pilotfish.sidecar.analyzer.engine import effect_sizes_only
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError, UnknownEpisodeError
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.row_counts import RowCounts
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.report.schema import CheckpointStatus, Report, UnprofiledColumn
from tests.analyzer.made import SECOND, T0, drifting, monitor, pipeline, profile, record, setup


def rows_counted(of: Pipeline) -> int:
    assert of.active.monitor is not None
    of.active.monitor.flush()
    return sum(counts.input_rows for counts in of.active.monitor.open_counts.values())


def report(of: Pipeline) -> Report:
    return Publisher(0.0).publish(of, CheckpointStatus(), {}, 1.0).report


def pipeline_with_alarm() -> Pipeline:
    out, now = pipeline(profile()), T0
    sequence = 1
    while not any(episode.open for episode in out.active.episodes()):
        for item in drifting(sequence, 20, now, 1.0):
            out.handle_record(item, now)
        sequence, now = sequence + 20, now + 10 * SECOND
        out.advance(now + 3 * SECOND)
        assert sequence < 400, "a shift of 1 sd must be found"
    return out


def test_rows_of_both_sides_are_counted() -> None:
    made = pipeline(profile())
    made.handle_record(record(1, amounts=[0.1, None, 3]), T0)
    assert rows_counted(made) == 3
    assert made.counters.named() == {"measured": 1, "rows:input:m": 3, "rows:prediction:m": 3}


def test_a_repeated_record_counts_once() -> None:
    made = pipeline(profile())
    for _ in range(2):
        made.handle_record(record(1), T0)
    assert made.counters.named()["measured"] == 1
    assert rows_counted(made) == 1


def test_a_body_that_does_not_decode_is_counted_with_its_reason() -> None:
    made = pipeline(profile())
    made.handle_record(record(1, body=b"{"), T0)
    made.handle_record(record(2, status=500), T0)
    assert made.counters.named() == {"undecodable:invalid_json": 1, "undecodable:error_status": 1}


def test_a_missing_record_counts_as_dropped() -> None:
    made = pipeline(profile())
    made.handle_record(record(4), T0)
    assert made.counters.named()["dropped:analyzer_restart"] == 3


def test_late_rows_count_in_the_open_tick_and_are_reported() -> None:
    made = pipeline(profile())
    made.handle_record(record(1, at_ns=T0), T0)
    made.advance(T0 + 13 * SECOND)
    made.handle_record(record(2, at_ns=T0 + 13 * SECOND), T0 + 13 * SECOND)
    made.handle_record(record(3, at_ns=T0 + 1), T0 + 14 * SECOND)
    assert made.counters.named()["late_rows"] == 1
    assert rows_counted(made) == 2
    assert report(made).ticks.late_rows == 1


def test_a_clock_that_is_set_back_is_reported_and_counting_continues() -> None:
    made = pipeline(profile())
    made.handle_record(record(1, at_ns=T0 + 86400 * SECOND), T0 + 86400 * SECOND)
    made.advance(T0 + 86413 * SECOND)
    made.handle_record(record(2, at_ns=T0), T0)
    made.advance(T0 + SECOND)
    assert "set back" in report(made).warnings[0]
    made.handle_record(record(3, at_ns=T0 + 30 * SECOND), T0 + 30 * SECOND)
    made.advance(T0 + 60 * SECOND)
    assert report(made).ticks.closed_total == 3
    made.advance(T0 + 86500 * SECOND)
    assert not report(made).warnings


def test_a_shift_is_found_and_named() -> None:
    made = report(pipeline_with_alarm())
    (episode,) = (item for item in made.episodes if item.open)
    assert [item.name for item in episode.features] == ["amount"]
    assert made.budget is not None
    assert made.budget.alarms_total == 1
    assert {item.name: item.alarms_total for item in made.families} == {"features": 1, "predictions": 0}


@pytest.mark.parametrize(("rows", "warned"), [(50, False), (3000, True)])
def test_traffic_far_denser_than_the_reference_is_a_warning(rows: int, warned: bool) -> None:
    made = pipeline(replace(profile(), reference=replace(profile().reference, order="rows", rows_per_tick=50.0)))
    for item in drifting(1, 1, T0, 0.0, rows):
        made.handle_record(item, T0)
    made.advance(T0 + 20 * SECOND)
    assert any("60 times the rows" in text for text in report(made).warnings) == warned


def test_numbers_sent_as_text_are_a_finding_that_is_counted_once() -> None:
    watched = pipeline(profile())
    for sequence in range(1, 5):
        watched.handle_record(record(sequence, amounts=[str(value / 50) for value in range(50)]), T0)
    watched.advance(T0 + 13 * SECOND)
    assert watched.active.monitor is not None
    assert ("type_change", "amount", 200) in [
        (f.kind, f.column, f.rows) for f in watched.active.monitor.quality.findings
    ]
    assert watched.counters.named()["finding:type_change"] == 1
    resumed = pipeline(profile(), saved=watched.state())
    assert resumed.active.monitor is not None
    assert resumed.active.monitor.quality.findings == watched.active.monitor.quality.findings


def test_a_new_profile_closes_the_episodes_and_loses_no_count() -> None:
    made = pipeline_with_alarm()
    measured = made.counters.named()["measured"]
    made.handle_record(record(measured + 1, at_ns=T0 + 999 * SECOND), T0 + 999 * SECOND)
    made.set_profile(profile(1))
    made.handle_record(record(measured + 2, at_ns=T0 + 999 * SECOND), T0 + 999 * SECOND)
    assert made.counters.named()["measured"] == measured + 2
    assert rows_counted(made) == 1
    assert [(item.open, item.closed_by) for item in made.active.episodes()] == [(False, "profile")]
    assert report(made).profile is not None
    assert report(made).profile.hash == profile(1).hash  # type: ignore[union-attr]  # checked above
    assert report(made).families[0].alarms_total == 1


def test_the_same_profile_again_changes_nothing() -> None:
    made = pipeline_with_alarm()
    monitor_before = made.active.monitor
    made.set_profile(profile())
    assert made.active.monitor is monitor_before


@pytest.mark.parametrize(("model", "version", "named"), [("other", "", "model 'other'"), ("m", "8", "version '8'")])
def test_a_profile_of_another_model_is_refused_with_both_named(model: str, version: str, named: str) -> None:
    made = Pipeline(setup(version="7"), ExchangeLedger(1))
    with pytest.raises(ProfileRefusedError, match=named) as refused:
        made.set_profile(profile(model=model, version=version))
    assert "'m'" in str(refused.value) or "'7'" in str(refused.value)
    assert made.active.monitor is None


def test_a_profile_that_the_engine_refuses_leaves_the_old_one_in_force() -> None:
    def refusing(made: Profile, drift: DriftSettings, state: dict[str, Any] | None) -> DriftMonitor:
        if made.hash == profile(1).hash:
            raise ProfileError("built for another bank of functions")
        return monitor(made, drift, state)

    made = Pipeline(setup(engine_factory=refusing), ExchangeLedger(1))
    made.set_profile(profile())
    made.handle_record(record(1), T0)
    with pytest.raises(ProfileRefusedError, match="another bank"):
        made.set_profile(profile(1))
    assert rows_counted(made) == 1
    assert made.active.monitor is not None
    assert made.active.monitor.profile.hash == profile().hash


def test_a_person_closes_an_episode_once() -> None:
    made = pipeline_with_alarm()
    (episode,) = made.active.episodes()
    made.close_episode(episode.id, "person")
    assert [(item.open, item.closed_by) for item in made.active.episodes()] == [(False, "person")]
    with pytest.raises(UnknownEpisodeError, match=episode.id):
        made.close_episode(episode.id, "person")


def test_without_a_profile_there_is_no_episode_to_close() -> None:
    with pytest.raises(UnknownEpisodeError, match="no profile"):
        pipeline().close_episode("x", "person")


def restarted(made: Pipeline) -> dict[str, object]:
    return parse(render(made.state()), "test")


def test_a_restart_continues_to_the_bit() -> None:
    made, other = pipeline_with_alarm(), pipeline_with_alarm()
    saved = restarted(other)
    other = pipeline(profile(), ExchangeLedger(1), saved)
    assert report(other) == report(made)
    following = made.ledger.position + 1
    for item in (made, other):
        now = T0 + 500 * SECOND
        for arrived in drifting(following, 40, now, 0.2):
            item.handle_record(arrived, now)
        item.advance(now + 13 * SECOND)
    assert restarted(made) == restarted(other)
    assert not other.notices.texts()


def test_a_restart_with_another_profile_closes_the_episodes() -> None:
    made = pipeline_with_alarm()
    other = pipeline(profile(1), ExchangeLedger(1), restarted(made))
    assert [(item.open, item.closed_by) for item in other.active.episodes()] == [(False, "profile")]


def test_a_restart_with_another_tick_starts_evidence_from_zero_and_reports_it() -> None:
    made = pipeline_with_alarm()
    other = Pipeline(setup(drift=DriftSettings(tick_seconds=5.0)), ExchangeLedger(1), restarted(made))
    other.set_profile(profile())
    assert "tick" in other.notices["tick"]
    assert report(other).families[0].evidence_ratio < 1e-3


def test_a_state_of_another_engine_starts_evidence_from_zero_and_reports_it() -> None:
    made = pipeline_with_alarm()
    other = Pipeline(setup(engine_factory=effect_sizes_only), ExchangeLedger(1), restarted(made))
    other.set_profile(profile())
    assert "another kind of engine" in other.notices["checkpoint"]
    assert [(item.open, item.closed_by) for item in other.active.episodes()] == [(False, "restart")]


def test_a_profile_of_another_model_names_the_key_to_change() -> None:
    with pytest.raises(ProfileRefusedError, match=r"spec\.model\.name"):
        pipeline(profile(model="other"))


def test_a_pod_computes_effect_sizes_and_raises_no_alarm() -> None:
    made = Pipeline(setup(engine_factory=effect_sizes_only), ExchangeLedger(1))
    made.set_profile(profile())
    for step in range(5):
        for item in drifting(1 + 20 * step, 20, T0 + 10 * step * SECOND, 1.0):
            made.handle_record(item, T0 + 10 * step * SECOND)
        made.advance(T0 + (10 * step + 13) * SECOND)
    shown = report(made)
    effects = {item.name: item.effects for item in shown.features}
    assert effects["amount"] is not None
    assert effects["amount"].wasserstein is not None
    assert effects["amount"].wasserstein.value == pytest.approx(1.0, abs=0.15)
    assert not shown.families
    assert {item.evidence_ratio for item in shown.features} == {None}
    assert not shown.episodes
    resumed = Pipeline(setup(engine_factory=effect_sizes_only), ExchangeLedger(1), restarted(made))
    resumed.set_profile(profile())
    assert report(resumed).features == shown.features


def test_without_a_profile_rows_and_missing_values_are_counted() -> None:
    made = pipeline()
    made.handle_record(record(1, amounts=[None, 1.0]), T0)
    shown = report(made)
    assert shown.state == "unprofiled"
    assert shown.columns[0] == UnprofiledColumn("amount", "input", 2, 1)
    assert sum(item.rows for item in shown.rows if item.side == "input") == 2


def test_with_an_unusable_document_the_pipeline_is_idle_and_refuses_profiles() -> None:
    made = Pipeline(setup(problem="$.spec.drift.tick: is 0"), ExchangeLedger(1))
    with pytest.raises(ProfileRefusedError, match=r"drift\.tick"):
        made.set_profile(profile())
    assert (report(made).state, report(made).reason) == ("idle", "$.spec.drift.tick: is 0")


def test_models_beyond_the_bound_share_one_total() -> None:
    counters = Counters()
    counts = RowCounts(counters, "")
    for index in range(60):
        exchange = DecodedExchange(f"model-{index}", None, "oip", Rows({}, 1), None, "event_stream", None)
        counts.on_exchange(0, exchange, 0.0)
    assert counters.named()["rows:input:other"] == 60 - 32
    assert counters.named()["predictions_unread:event_stream"] == 60
    assert len(counters.named()) == 34


def test_the_report_is_immutable_and_later_records_do_not_change_it() -> None:
    made = pipeline_with_alarm()
    shown = report(made)
    before = msgspec.json.encode(shown)
    with pytest.raises(AttributeError):
        shown.state = "idle"  # type: ignore[misc]  # the assignment must fail
    with pytest.raises(AttributeError):
        shown.features[0].effects.rows = 1  # type: ignore[misc, union-attr]  # the assignment must fail
    for item in drifting(made.ledger.position + 1, 20, T0 + 500 * SECOND, 1.0):
        made.handle_record(item, T0 + 500 * SECOND)
    made.advance(T0 + 900 * SECOND)
    made.set_profile(profile(1))
    assert msgspec.json.encode(shown) == before
    assert msgspec.json.decode(before, type=Report) == shown


def test_a_profile_set_after_its_ticks_have_ended_closes_them() -> None:
    made = pipeline(profile())
    made.handle_record(record(1), T0)
    again = pipeline(saved=made.state())
    again.advance(T0 + 100 * SECOND)  # the tick has ended, and no profile is in force
    again.set_profile(profile())
    again.handle_record(record(2, at_ns=T0 + 200 * SECOND), T0 + 200 * SECOND)
    again.advance(T0 + 300 * SECOND)
    again.set_profile(profile(1))
    assert again.counters.named()["ticks"] == 2
