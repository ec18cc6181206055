"""Labels are joined to predictions once and scored. A restart neither loses nor repeats a label."""

from __future__ import annotations

from typing import Any

import pytest

from pilotfish.sidecar.analyzer.checkpoint import parse, render
from pilotfish.sidecar.analyzer.errors import IdleError
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.labels.labels import FeedbackResponse, Label, LabelBatch, delivery_key, request_key
from pilotfish.sidecar.report.schema import CheckpointStatus, Report
from pilotfish.sidecar.settings.document import Feedback
from tests.analyzer.feedback.made import exchange, labelled, labels, pipeline
from tests.analyzer.made import SECOND, T0, profile


def outcomes(of: FeedbackResponse) -> dict[str, int]:
    names = ("joined", "direct", "late", "duplicate", "unknown", "invalid", "judged")
    return {name: getattr(of, name) for name in names if getattr(of, name)}


def report(of: Pipeline) -> Report:
    return Publisher(0.0).publish(of, CheckpointStatus(), {}, 1.0).report


def counted(of: Pipeline) -> int:
    assert of.active.monitor is not None
    of.active.monitor.flush()
    return sum(counts.label_rows for counts in of.active.monitor.open_counts.values())


def journal(of: Pipeline) -> list[tuple[int, list[tuple[int, bytes]]]]:
    """Return the pending bytes of the journal, one chunk per segment, with the length as end."""
    return [(number, [(len(raw), raw)]) for number, raw in of.feedback.drain()]


def restarted(of: Pipeline, position: tuple[int, int], pieces: Any) -> Pipeline:
    """Return the pipeline after a restart with the checkpoint of `of`, made at `position`, and with the journal."""
    of.feedback.journal_written(position)
    saved = parse(render(of.state()), "test")
    again = pipeline(labelled(), saved)
    again.replay(pieces, T0 + 2 * SECOND, count_labels=True)
    return again


def test_a_label_is_joined_and_scored() -> None:
    made = pipeline(labelled())
    made.handle_record(exchange(1, "a", answers=("blue", "green")), T0)
    answer = made.take_labels(labels(("a", 1, "green"), ("a", 0, "green")), T0 + 5 * SECOND)
    assert outcomes(answer) == {"joined": 2, "judged": 2}
    assert answer.note == ""
    assert counted(made) == 2
    found = report(made).feedback
    assert (found.pending, found.coverage, found.identified_ratio) == (0, 1.0, 1.0)
    assert found.lag is not None
    assert 4 <= found.lag.p50 <= 8
    assert {item.outcome: item.labels for item in found.labels}["joined"] == 2


def test_each_row_counts_once() -> None:
    made = pipeline(labelled())
    made.handle_record(exchange(1, "a"), T0)
    given = labels(("a", 0, "blue"), ("a", 0, "green"))
    assert outcomes(made.take_labels(given, T0 + 1)) == {"joined": 1, "duplicate": 1, "judged": 1}
    assert outcomes(made.take_labels(given, T0 + 2)) == {"duplicate": 2}
    assert counted(made) == 1


def test_unknown_late_and_invalid_rows_have_different_outcomes() -> None:
    made = pipeline(labelled(), feedback=Feedback(keep=60.0))
    made.handle_record(exchange(1, "a"), T0)
    answer = made.take_labels(labels(("never", 0, 1), ("a", 7, 1), ("a", 0, "blue")), T0 + 1)
    assert outcomes(answer) == {"unknown": 1, "invalid": 1, "joined": 1, "judged": 1}
    assert [item.index for item in answer.problems] == [0, 1]
    assert "row 7 of a request of 1 row;" in answer.problems[1].problem
    made.handle_record(exchange(2, "b"), T0)
    assert outcomes(made.take_labels(labels(("b", 0, "blue")), T0 + 61 * SECOND)) == {"late": 1}


def test_a_list_of_labels_must_fit_its_request() -> None:
    made = pipeline(labelled())
    made.handle_record(exchange(1, "a", answers=("blue", "green", "blue")), T0)
    key = request_key("a")
    wrong = LabelBatch(tuple(Label(0, key, row, "blue", whole=2) for row in range(2)))
    assert outcomes(made.take_labels(wrong, T0)) == {"invalid": 2}
    right = LabelBatch(tuple(Label(0, key, row, "blue", whole=3) for row in (0, 2)))
    assert outcomes(made.take_labels(right, T0)) == {"joined": 2, "judged": 2}


def test_a_label_with_its_prediction_needs_no_exchange() -> None:
    made = pipeline(labelled())
    key = delivery_key("retry")
    direct = Label(0, 0, 0, "blue", direct=True, prediction="green", score=0.9, time=T0 / SECOND - 30)
    assert outcomes(made.take_labels(LabelBatch((direct, direct)), T0)) == {"direct": 2, "judged": 2}
    keyed = LabelBatch((direct._replace(key=key), direct._replace(key=key, row=1)))
    assert outcomes(made.take_labels(keyed, T0)) == {"direct": 2, "judged": 2}
    assert outcomes(made.take_labels(keyed, T0)) == {"duplicate": 2}
    lag = report(made).feedback.lag
    assert lag is not None
    assert 16 < lag.p50 <= 32


def test_a_direct_label_is_a_duplicate_of_a_joined_one() -> None:
    made = pipeline(labelled())
    made.handle_record(exchange(1, "a"), T0)
    direct = Label(0, request_key("a"), 0, "blue", direct=True, prediction="green")
    assert outcomes(made.take_labels(LabelBatch((direct,)), T0)) == {"direct": 1, "judged": 1}
    assert outcomes(made.take_labels(labels(("a", 0, "blue")), T0)) == {"duplicate": 1}
    assert report(made).feedback.pending == 0


def test_a_label_joins_by_the_id_of_the_response() -> None:
    made = pipeline(labelled())
    made.handle_record(exchange(1, "mine", response_id="servers"), T0)
    made.handle_record(exchange(2, None, response_id="assigned"), T0)
    made.handle_record(exchange(3), T0)
    given = labels(("servers", 0, "blue"), ("assigned", 0, "blue"), ("mine", 0, "blue"))
    assert outcomes(made.take_labels(given, T0)) == {"joined": 2, "duplicate": 1, "judged": 2}
    assert report(made).feedback.identified_ratio == pytest.approx(2 / 3)


def test_without_a_label_column_labels_are_only_counted_and_the_note_explains_it() -> None:
    made = pipeline(profile())
    made.handle_record(exchange(1, "a"), T0)
    answer = made.take_labels(labels(("a", 0, "blue")), T0)
    assert outcomes(answer) == {"joined": 1}
    assert "not scored" in answer.note
    assert report(made).feedback.reason == answer.note
    assert report(made).performance is None


def test_a_prediction_under_another_profile_is_not_scored() -> None:
    made = pipeline(labelled())
    made.handle_record(exchange(1, "a"), T0)
    made.set_profile(labelled(1))
    made.handle_record(exchange(2, "b"), T0)
    answer = made.take_labels(labels(("a", 0, "blue"), ("b", 0, "blue")), T0)
    assert outcomes(answer) == {"joined": 2, "judged": 1}
    assert counted(made) == 1


def test_an_idle_analyzer_accepts_no_labels() -> None:
    made = pipeline()
    made.idle_reason = "the document is broken"
    with pytest.raises(IdleError, match="the document is broken"):
        made.take_labels(labels(("a", 0, 1)), T0)


def test_reused_ids_are_counted() -> None:
    made = pipeline(labelled())
    for sequence in (1, 2):
        made.handle_record(exchange(sequence, "1"), T0)
    assert report(made).feedback.reused == 1


def test_only_labels_after_the_checkpoint_are_counted_again() -> None:
    made = pipeline(labelled())
    for sequence, name in enumerate("abc", 1):
        made.handle_record(exchange(sequence, name), T0)
    made.take_labels(labels(("a", 0, "blue")), T0)
    ((number, (before,)),) = journal(made)
    position = (number, before[0])
    again = restarted(made, position, [(number, [before])])
    assert again.counters.named() == made.counters.named()
    assert counted(again) == counted(made) == 1
    checkpointed = restarted(made, position, [(number, [before])])
    made.take_labels(labels(("b", 0, "blue"), ("b", 0, "blue"), ("x", 0, 1)), T0 + SECOND)
    ((_, (after,)),) = journal(made)
    pieces = [(number, [before, (before[0] + after[0], after[1])])]
    again = restarted(checkpointed, position, pieces)
    assert counted(again) == counted(made) == 2
    assert again.counters.named() == made.counters.named()
    given = labels(("a", 0, "blue"), ("b", 0, "blue"), ("c", 0, "blue"))
    assert outcomes(again.take_labels(given, T0 + SECOND)) == {"duplicate": 2, "joined": 1, "judged": 1}
    assert report(again).feedback.pending == report(made).feedback.pending - 1


def performing(share_wrong: float) -> Pipeline:
    """Return a pipeline after 12 ticks of 200 labelled rows each; `share_wrong` of the predictions were wrong."""
    made, sequence = pipeline(labelled()), 0
    for tick in range(12):
        now = T0 + tick * 10 * SECOND
        for group in range(4):
            sequence += 1
            made.handle_record(exchange(sequence, str(sequence), answers=("blue",) * 50, at_ns=now), now)
            wrong = round(50 * share_wrong)
            truths = ["green"] * wrong + ["blue"] * (50 - wrong)
            given = labels(*((str(sequence), row, truth) for row, truth in enumerate(truths)))
            made.take_labels(given, now + group)
        made.advance(now + 12 * SECOND + SECOND)
    return made


def test_a_worse_model_raises_an_alarm_and_the_report_has_its_loss() -> None:
    made = performing(0.4)
    assert "performance" in {episode.family for episode in made.active.episodes() if episode.open}
    found = report(made).performance
    assert found is not None
    assert found.realized is not None
    assert found.since_onset is not None
    assert (found.task, found.label, found.believed) == ("classification", "truth", "realized")
    assert found.reference == pytest.approx(0.1, abs=0.02)
    assert found.realized.value == pytest.approx(0.4, abs=0.01)
    assert found.realized.low < 0.4 < found.realized.high
    assert found.labelled_rows == found.realized.rows == 2400


def test_an_unchanged_model_raises_no_alarm() -> None:
    made = performing(0.1)
    assert "performance" not in {episode.family for episode in made.active.episodes()}
    found = report(made).performance
    assert found is not None
    assert found.realized is not None
    assert found.realized.value == pytest.approx(0.1, abs=0.01)
    assert found.since_onset is None


def test_without_labels_the_estimate_is_used() -> None:
    made = pipeline(labelled())
    for sequence in range(1, 101):
        made.handle_record(exchange(sequence, answers=("blue", "green")), T0)
    made.advance(T0 + 13 * SECOND)
    found = report(made).performance
    assert found is not None
    assert found.estimated is not None
    assert (found.believed, found.realized, found.calibrated) == ("estimated", None, True)
    assert found.estimated.value < 0.1
