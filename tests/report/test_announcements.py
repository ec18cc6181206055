"""The lines of the log: one for each event between two reports, however often they are compared."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.report.announcements import control_lines, report_lines
from pilotfish.sidecar.report.control_status import ControlStatus, IntentStatus
from pilotfish.sidecar.report.schema import (
    EpisodeFeatureReport,
    EpisodeReport,
    LearningStatus,
    ProfileInfo,
    Report,
    TickStatus,
)

REPORT = Report(made_at=1000.0, started_at=990.0, state="watching", ticks=TickStatus(tick_seconds=60.0))
PROFILE = ProfileInfo(
    hash="a1b2c3d4e5f6" + "0" * 52,
    model="delays",
    version="7",
    created="",
    rows=20_000,
    features=12,
    excluded=(),
    warnings=(),
)
LEARNING = LearningStatus(id="x", kind="learn", wanted=20_000, began=1.0)
URL = "'https://trainer.example/…'"


def with_(**changes: Any) -> Report:
    return msgspec.structs.replace(REPORT, **changes)


def feature(name: str) -> EpisodeFeatureReport:
    return EpisodeFeatureReport(name=name, confirmed=True, active=True, onset_tick=2, joined_tick=3, closed_tick=None)


def episode(
    id_: str, *names: str, closed_by: str | None = None, family: str = "features", **more: Any
) -> EpisodeReport:
    return EpisodeReport(
        id=id_, family=family, opened_tick=3, onset_tick=2, closed_tick=None, closed_by=closed_by,
        open=closed_by is None, features=tuple(map(feature, names)), **more,
    )  # fmt: skip


def said(*reports: Report, first: Report | None = None) -> list[tuple[int, str]]:
    """Return the lines of a process that sees `reports` one after another, each of them twice."""
    lines: list[tuple[int, str]] = []
    previous = first
    for report in reports:
        lines += report_lines(previous, report)
        assert list(report_lines(report, report)) == []
        previous = report
    return lines


def test_the_profile_in_force_is_logged_at_the_start_and_when_it_changes() -> None:
    other = msgspec.structs.replace(PROFILE, hash="f" * 64, excluded=("id: unique",))
    first, second = said(with_(profile=PROFILE), with_(profile=other))
    assert first == (
        logging.INFO,
        "the profile 'delays' version '7' is in force: sha256 a1b2c3d4e5f6, 20,000 rows, 12 features",
    )
    assert "sha256 ffffffffffff" in second[1]
    assert "1 column excluded" in second[1]


def test_an_alarm_has_family_features_onset_and_episode() -> None:
    names = [f"f{number}" for number in range(8)]
    ((level, text),) = said(with_(episodes=(episode("e1", *names),)), first=REPORT)
    assert level == logging.WARNING
    assert text == (
        "drift ALARM: features: f0 changed (since about 1970-01-01T00:02:00.000Z); "
        "f1 changed (since about 1970-01-01T00:02:00.000Z); f2 changed (since about 1970-01-01T00:02:00.000Z); "
        "and 5 more columns; episode e1"
    )


def test_a_part_of_another_episode_and_a_loss_of_performance_say_so() -> None:
    found = (episode("e1", "a", part_of="e0"), episode("e2", "loss", family="performance"))
    first, second = said(with_(episodes=found), first=REPORT)
    assert first[1].endswith("episode e1, part of episode e0")
    assert second[1].startswith("performance ALARM: performance: loss changed")


def test_the_end_of_an_episode_has_its_cause_also_between_two_looks() -> None:
    done = with_(episodes=(episode("e1", "a", closed_by="recovery"),))
    assert said(with_(episodes=(episode("e1", "a"),)), done)[1:] == [
        (logging.INFO, "drift episode e1 has ended: recovery")
    ]
    assert [level for level, _ in said(done, first=REPORT)] == [logging.WARNING, logging.INFO]


def test_an_episode_that_opens_again_has_a_line_between_its_two_ends() -> None:
    open_one = with_(episodes=(episode("e1", "a"),))
    ended = with_(episodes=(episode("e1", "a", closed_by="recovery"),))
    assert [text for _, text in said(open_one, ended, open_one, ended)[1:]] == [
        "drift episode e1 has ended: recovery",
        "drift episode e1 is open again",
        "drift episode e1 has ended: recovery",
    ]


def test_after_a_restart_open_episodes_are_logged_and_old_ones_are_not() -> None:
    ((_, text),) = said(with_(episodes=(episode("e1", "a"), episode("e0", "b", closed_by="recovery"))))
    assert text.startswith("drift is open since an earlier run: features: a changed")


def test_a_warning_is_logged_when_it_appears_and_when_it_ends() -> None:
    full = "checkpoint '/state/checkpoint': No space left on device; make room"
    assert said(with_(warnings=(full,)), with_(warnings=(full, "b")), REPORT) == [
        (logging.WARNING, full),
        (logging.WARNING, "b"),
        (logging.INFO, f"no longer: {full}"),
        (logging.INFO, "no longer: b"),
    ]


def test_a_warning_whose_numbers_change_is_logged_once() -> None:
    texts = [f"the clock was set back: ticks continue {seconds} s ahead of it" for seconds in (9.5, 8, 7.25, 1_000)]
    assert len(said(*(with_(warnings=(text,)) for text in texts))) == 1


def learned(**changes: Any) -> Report:
    return with_(learning=msgspec.structs.replace(LEARNING, **changes))


def test_learning_is_logged_from_start_to_end() -> None:
    lines = said(
        learned(), learned(rows=500), learned(rows=20_000, state="building"), learned(tries=2, problem="no memory"),
        learned(tries=2, rows=20_000, state="building"), with_(profile=PROFILE), first=REPORT,
    )  # fmt: skip
    assert [text for _, text in lines] == [
        "learning a profile from 20,000 rows",
        "building a profile from 20,000 rows",
        "learning failed and starts again (try 2): no memory",
        "building a profile from 20,000 rows",
        "the profile 'delays' version '7' is in force: sha256 a1b2c3d4e5f6, 20,000 rows, 12 features",
        "learning has finished: its profile a1b2c3d4e5f6 is in force",
    ]


def test_learning_that_was_given_up_or_cancelled_is_logged() -> None:
    (line,) = said(learned(tries=3, state="gave_up", problem="the store is full"), first=learned(tries=3))
    assert line == (logging.ERROR, "learning failed 3 times and was given up: the store is full")
    (line,) = said(REPORT, first=learned(rows=300))
    assert line == (logging.INFO, "learning has ended without a profile, after 300 rows")
    (line,) = said(learned(by="ann", rows=7), first=REPORT)
    assert line[1] == "learning a profile from 20,000 rows, 7 are stored already, requested by 'ann'"


def intent(state: str, attempts: int = 0, at: float = 1000.0, **more: Any) -> IntentStatus:
    return IntentStatus(
        id="retrain-1", kind="retrain", episode="e1", state=state, reason=more.pop("reason", "drift"),
        attempts=attempts, decided_at=at, changed_at=at, receiver=URL.strip("'"), **more,
    )  # fmt: skip


def delivered(*states: IntentStatus, since: float = 990.0) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    previous: ControlStatus | None = None
    for one in states:
        status = ControlStatus(intents=(one,))
        lines += control_lines(previous, status, since)
        assert list(control_lines(status, status, since)) == []
        previous = status
    return lines


def test_a_delivery_has_event_attempts_and_receiver_and_only_its_first_failure_is_logged() -> None:
    failed = [intent("pending", attempts, error="http_503") for attempts in (1, 2, 3)]
    first, last = delivered(intent("pending"), *failed, intent("delivered", 4))
    failure = f"the first attempt to deliver it to {URL} failed: http_503; it will be repeated"
    assert first == (logging.WARNING, f"retrain event retrain-1 (episode e1): {failure}")
    assert last == (logging.INFO, f"retrain event retrain-1 (episode e1): delivered to {URL} after 4 attempts")


def test_a_dead_event_is_an_error() -> None:
    ((level, text),) = delivered(intent("pending"), intent("dead", 1, error="http_410"))
    assert level == logging.ERROR
    assert text == f"retrain event retrain-1 (episode e1): given up after 1 attempt, not delivered to {URL}: http_410"


@pytest.mark.parametrize("state", ["recommended", "refused", "superseded"])
def test_what_is_not_sent_is_logged_with_the_reason(state: str) -> None:
    ((level, text),) = delivered(intent(state, reason="cooldown"))
    assert (level, text.endswith("cooldown")) == (logging.INFO, True)


def test_what_an_earlier_process_did_is_not_logged_again() -> None:
    assert delivered(intent("delivered", 2, at=989.0)) == []


TEXTS = st.sampled_from(["a", "b 1", "b 2", "full disk"])
REPORTS = st.builds(
    lambda profile, episodes, learning, warnings: with_(
        profile=profile, episodes=tuple(episodes), learning=learning, warnings=tuple(warnings)
    ),
    st.sampled_from([None, PROFILE, msgspec.structs.replace(PROFILE, hash="f" * 64)]),
    st.lists(
        st.builds(episode, st.sampled_from("xyz"), closed_by=st.sampled_from([None, "recovery"])),
        unique_by=lambda e: e.id,
    ),
    st.sampled_from(
        [None, LEARNING, *(msgspec.structs.replace(LEARNING, state=state) for state in ("building", "gave_up"))]
    ),
    st.lists(TEXTS, max_size=3),
)


@given(st.lists(REPORTS, max_size=6))
def test_two_equal_reports_never_give_a_line(reports: Sequence[Report]) -> None:
    for level, text in said(*reports):
        assert level in (logging.INFO, logging.WARNING, logging.ERROR)
        assert text
