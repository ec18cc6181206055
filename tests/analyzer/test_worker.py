"""The worker thread with a real socket and real files: save before publish, commands between records, a clean end."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.commands import CloseEpisode, SetProfile, TakeLabels, Warn
from pilotfish.sidecar.analyzer.decode_budget import SECOND
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError, StoppingError, UnknownEpisodeError
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.feedback.journal import JournalError, LabelJournal
from pilotfish.sidecar.analyzer.persistence import Persistence
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.row_stores import RowStores
from pilotfish.sidecar.analyzer.snapshot import Publisher
from pilotfish.sidecar.analyzer.totals_file import TotalsFile
from pilotfish.sidecar.analyzer.worker import Worker, WorkerDependencies
from pilotfish.sidecar.channel.receiver import Receiver
from pilotfish.sidecar.channel.sender import Sender
from tests.analyzer.feedback.made import exchange, labelled, labels
from tests.analyzer.made import pipeline, profile, record, setup
from tests.support.waiting import patient, wait_until


class Bench:
    """A worker with the files and the channel in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.state.mkdir()
        self.sender = Sender(folder / "records.sock", 7)
        self.totals_file = TotalsFile(folder / "fates")
        self.worker: Worker | None = None

    def start(self, subject: Pipeline | None = None, **clocks: Any) -> Worker:
        subject = subject or pipeline(profile())
        stores = RowStores(self.state, subject)
        dependencies = WorkerDependencies(
            pipeline=subject,
            persistence=Persistence(
                subject,
                checkpoint=self.state / "checkpoint",
                journal=LabelJournal(self.state),
                stores=stores,
                totals_file=self.totals_file,
            ),
            stores=stores,
            open_receiver=lambda: Receiver(self.folder / "records.sock"),
            now=time.time,
            **clocks,
        )
        self.worker = Worker(dependencies, Publisher(0.0))
        self.worker.start()
        return self.worker

    def send(self, *sequences: int) -> None:
        wait_until(lambda: self.sender.connect(sequences[0]), what="a reader")
        for sequence in sequences:
            assert self.sender.offer(record(sequence, at_ns=time.time_ns()))
        wait_until(lambda: self.sender.flush() or not self.sender.pending, what="the records to be sent")

    def measured(self) -> int:
        assert self.worker is not None
        return sum(item.exchanges for item in self.worker.published.report.counts if item.fate == "measured")

    def close(self) -> None:
        self.sender.disconnect()
        if self.worker is not None:
            self.worker.stop()
            wait_until(self.worker.finished.done)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_published_counts_are_on_disk(bench: Bench) -> None:
    bench.start()
    bench.send(1, 2, 3)
    wait_until(lambda: bench.measured() == 3, what="3 measured")
    saved = checkpoint.load(bench.state / "checkpoint")
    assert saved is not None
    assert saved["ledger"]["totals"]["measured"] == 3
    stored = bench.totals_file.read()
    assert stored is not None
    assert stored[1]["measured"] == 3


def test_a_worker_that_runs_out_of_memory_stops_after_the_record_and_saves(bench: Bench) -> None:
    now = itertools.count(0, 10**9)  # each record takes a second
    worker = bench.start(ticks=lambda: next(now), near_limit=lambda: True)
    bench.send(1)
    worker.finished.result(timeout=patient(10))
    assert worker.short_of_memory
    assert bench.measured() == 1
    assert checkpoint.load(bench.state / "checkpoint") is not None


def test_costly_records_are_skipped_when_their_budget_is_spent_and_small_ones_are_measured(bench: Bench) -> None:
    times = itertools.chain.from_iterable(itertools.repeat(start, 2) for start in itertools.count(0, 2 * SECOND))
    worker = bench.start(ticks=lambda: next(times))  # each record takes 2 s
    costly = b"[" + b"0," * 10_000 + b"0]"
    wait_until(lambda: bench.sender.connect(1), what="a reader")
    for sequence, body in enumerate((costly, costly, None, costly, None), 1):
        made = record(sequence, at_ns=time.time_ns())
        sent = made if body is None else made._replace(request_body=body)
        assert bench.sender.offer(sent)
    wait_until(lambda: bench.sender.flush() or not bench.sender.pending, what="the records to be sent")
    wait_until(lambda: bench.measured() == 2, what="2 measured")
    counts = {item.reason: item.exchanges for item in worker.published.report.counts if item.fate == "undecodable"}
    assert counts == {"wrong_structure": 1, "decode_budget": 2}


def test_records_sent_before_the_end_are_counted(bench: Bench) -> None:
    worker = bench.start()
    bench.send(*range(1, 200))
    worker.stop()
    worker.finished.result(timeout=patient(10))
    assert bench.measured() == 199


def test_a_full_disk_is_reported_and_counting_continues(bench: Bench) -> None:
    worker = bench.start()
    (bench.state / "checkpoint.new").mkdir()  # it makes the write fail like a full disk, also for root
    bench.send(1, 2)
    wait_until(lambda: bench.measured() == 2, what="2 measured")
    shown = worker.published.report
    assert shown.checkpoint.failures_total >= 1
    assert "cannot write" in shown.checkpoint.error
    assert any("cannot write" in text for text in shown.warnings)
    (bench.state / "checkpoint.new").rmdir()
    bench.send(3)
    wait_until(lambda: worker.published.report.checkpoint.error == "", what="a checkpoint")


def test_the_future_of_a_command_returns_its_outcome(bench: Bench) -> None:
    worker = bench.start()
    worker.submit(SetProfile(profile(1))).result(timeout=patient(10))
    assert worker.published.report.profile is not None
    assert worker.published.report.profile.hash == profile(1).hash
    with pytest.raises(UnknownEpisodeError):
        worker.submit(CloseEpisode("none")).result(timeout=patient(10))
    with pytest.raises(ProfileRefusedError):
        worker.submit(SetProfile(profile(model="other"))).result(timeout=patient(10))
    worker.submit(Warn("topic", "look here")).result(timeout=patient(10))
    assert worker.published.report.warnings == ("look here",)
    worker.submit(Warn("topic", "")).result(timeout=patient(10))
    assert worker.published.report.warnings.count("look here") == 0


def test_a_cancelled_command_is_not_executed(bench: Bench) -> None:
    worker = bench.start()
    cancelled: Future[None] = Future()
    assert cancelled.cancel()
    worker._queue._commands.put((SetProfile(profile(1)), cancelled))
    worker.submit(Warn("topic", "")).result(timeout=patient(10))
    assert worker.published.report.profile is not None
    assert worker.published.report.profile.hash == profile().hash


def test_after_the_end_commands_are_refused(bench: Bench) -> None:
    worker = bench.start()
    worker.stop()
    worker.finished.result(timeout=patient(10))
    with pytest.raises(StoppingError):
        worker.submit(CloseEpisode("x")).result(timeout=patient(10))


def test_an_idle_worker_keeps_the_old_checkpoint_until_a_profile_is_set(bench: Bench) -> None:
    subject = Pipeline(setup(), ExchangeLedger(1))
    subject.stay_idle("the profile is broken")
    (bench.state / "checkpoint").write_bytes(b"evidence of before")
    worker = bench.start(subject)
    worker.submit(Warn("topic", "text")).result(timeout=patient(10))
    assert (bench.state / "checkpoint").read_bytes() == b"evidence of before"
    assert not (bench.folder / "records.sock").exists()
    worker.submit(SetProfile(profile())).result(timeout=patient(10))
    bench.send(1)
    wait_until(lambda: bench.measured() == 1, what="1 measured")
    assert checkpoint.load(bench.state / "checkpoint") is not None


def test_an_exception_ends_the_worker_and_is_reported(bench: Bench) -> None:
    subject = pipeline(profile())
    subject.handle_record = lambda *_: 1 // 0  # type: ignore[method-assign, assignment]  # a defect
    worker = bench.start(subject)
    bench.send(1)
    with pytest.raises(ZeroDivisionError):
        worker.finished.result(timeout=patient(10))


def test_labels_are_in_the_journal_before_they_are_acknowledged(bench: Bench) -> None:
    worker = bench.start(pipeline(labelled()))
    wait_until(lambda: bench.sender.connect(1), what="a reader")
    assert bench.sender.offer(exchange(1, "a", at_ns=time.time_ns()))
    wait_until(lambda: bench.sender.flush() or not bench.sender.pending, what="the record to be sent")
    wait_until(lambda: worker.published.report.feedback.pending == 1, what="a prediction that waits")
    before = checkpoint.load(bench.state / "checkpoint")
    answers = [worker.submit(TakeLabels(labels(("a", 0, "blue")))) for _ in range(3)]
    assert [answer.result(timeout=patient(10)).joined for answer in answers] == [1, 0, 0]
    assert before is not None
    again = pipeline(labelled(), ExchangeLedger(1), before)  # killed before the next checkpoint
    again.replay(LabelJournal(bench.state).load(), time.time_ns(), count_labels=True)
    assert {name: again.counters.named()[name] for name in ("feedback:joined", "feedback:duplicate")} == {
        "feedback:joined": 1,
        "feedback:duplicate": 2,
    }


def test_a_label_may_arrive_shortly_before_its_exchange(bench: Bench) -> None:
    worker = bench.start(pipeline(labelled()))
    wait_until(lambda: bench.sender.connect(1), what="a reader")
    early = worker.submit(TakeLabels(labels(("a", 0, "blue"))))
    assert bench.sender.offer(exchange(1, "a", at_ns=time.time_ns()))
    wait_until(lambda: bench.sender.flush() or not bench.sender.pending, what="the record to be sent")
    assert early.result(timeout=patient(10)).joined == 1
    assert worker.submit(TakeLabels(labels(("never", 0, "blue")))).result(timeout=patient(10)).unknown == 1
    last = worker.submit(TakeLabels(labels(("never", 0, "blue"))))
    worker.stop()
    with suppress(StoppingError):
        assert last.result(timeout=patient(10)).unknown == 1


def test_labels_that_cannot_be_written_are_refused(bench: Bench) -> None:
    worker = bench.start(pipeline(labelled()))
    block = bench.state / "feedback-00000001.log"
    block.mkdir()
    with pytest.raises(JournalError):
        worker.submit(TakeLabels(labels(("a", 0, "blue")))).result(timeout=patient(10))
    wait_until(lambda: any("labels cannot be written" in text for text in worker.published.report.warnings))
    block.rmdir()
    assert worker.submit(TakeLabels(labels(("a", 0, "blue")))).result(timeout=patient(10)).unknown == 1
    wait_until(lambda: not any("labels cannot be written" in text for text in worker.published.report.warnings))
