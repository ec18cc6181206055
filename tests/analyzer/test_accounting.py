"""The accounting identity holds under any order of records, restarts and crashes."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.totals_file import TotalsFile
from pilotfish.sidecar.channel import layout
from pilotfish.sidecar.channel.page import CounterPage, read_page
from pilotfish.sidecar.channel.record import Hello
from pilotfish.sidecar.report.accounting import ExchangeTotals, account_exchanges
from pilotfish.sidecar.report.schema import ExchangeCount
from tests.analyzer.made import SECOND, T0, record, setup
from tests.support.examples import examples


class Sidecar(RuleBasedStateMachine):
    """A proxy that counts on a real page and queues, and an analyzer that reads, saves, publishes and crashes."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.previous: dict[tuple[str, str], int] = {}
        self.disk_full = False
        self.ids = 0

    @initialize()
    def begin(self) -> None:
        self.queue: deque[int] = deque()
        self.epoch = 1
        self.page = CounterPage.open(self.folder / "page", now_ns=T0)
        self._start_analyzer()

    # --- the proxy

    @rule()
    def the_page_is_lost_and_created_again(self) -> None:
        self.page.close()
        (self.folder / "page").unlink()
        self.page = CounterPage.open(self.folder / "page", now_ns=T0)
        self.queue.clear()
        self.epoch += 1
        self.previous = {}
        self._connect()

    @rule(fate=st.sampled_from(layout.OUTCOMES[1:]))
    def an_exchange_is_not_sent(self, fate: tuple[str, str]) -> None:
        self.page.add(layout.outcome_word(*fate))

    @rule(count=st.integers(1, 5))
    def exchanges_are_queued(self, count: int) -> None:
        for _ in range(count):
            self.page.add(layout.outcome_word("accepted"))
            self.queue.append(self.page.words[layout.outcome_word("accepted")])

    @rule()
    def the_proxy_restarts(self) -> None:
        self.page.close()
        self.page = CounterPage.open(self.folder / "page", now_ns=T0)
        self.queue.clear()
        self.epoch += 1
        self._connect()

    # --- the analyzer

    @rule(count=st.integers(1, 5), valid=st.booleans())
    def records_arrive(self, count: int, valid: bool) -> None:
        for _ in range(min(count, len(self.queue))):
            sequence = self.queue.popleft()
            self.pipeline.handle_record(record(sequence) if valid else record(sequence, body=b"{"), T0 + SECOND)

    @precondition(lambda self: self.queue)
    @rule()
    def a_record_is_lost_in_the_socket_of_a_killed_analyzer(self) -> None:
        self.queue.popleft()
        self._restart_analyzer()

    @rule()
    def the_analyzer_is_killed(self) -> None:
        self._restart_analyzer()

    @rule()
    def it_saves_and_publishes(self) -> None:
        if not self.disk_full:
            self._save()
        self._publish()

    @rule()
    def it_is_killed_between_saving_and_publishing(self) -> None:
        self._save()
        self._restart_analyzer()

    @rule()
    def the_disk_fills_or_clears(self) -> None:
        self.disk_full = not self.disk_full

    # --- invariants

    @invariant()
    def every_exchange_has_one_outcome(self) -> None:
        totals = self._account()
        assert totals.seen == sum(totals.outcomes.values())
        assert totals.queued >= 0

    @invariant()
    def no_total_decreases(self) -> None:
        now = dict(self._account().outcomes)
        now.pop(("queued", ""))
        assert all(now.get(fate, 0) >= amount for fate, amount in self.previous.items())
        self.previous = now

    @rule()
    def at_rest_nothing_is_queued(self) -> None:
        self.records_arrive(len(self.queue), True)
        self._connect()
        self.it_saves_and_publishes()
        assert self._account().queued == 0

    def teardown(self) -> None:
        self.totals_file.close()
        self.page.close()
        shutil.rmtree(self.folder)

    # --- helpers

    def _account(self) -> ExchangeTotals:
        counts = [
            ExchangeCount(*name.partition(":")[::2], amount)
            for name, amount in self.published.items()
            if name.partition(":")[0] in ("measured", "undecodable", "dropped")
        ]
        return account_exchanges(read_page(self.folder / "page"), counts)

    def _save(self) -> None:
        """Write like `checkpoint.save`, without the wait for the disk."""
        (self.folder / "checkpoint").write_bytes(checkpoint.render(self.pipeline.state()))

    def _publish(self) -> None:
        self.totals_file.write(self.pipeline.ledger.id, self.pipeline.counters.named())
        self.published = self.pipeline.counters.named()

    def _start_analyzer(self) -> None:
        self.totals_file = TotalsFile(self.folder / "fates")
        saved = checkpoint.load(self.folder / "checkpoint")
        ledger = ExchangeLedger.of_file(self.totals_file.read(), self._fresh_id())
        self.pipeline = Pipeline(setup(), ledger, saved)
        self.totals_file.write(ledger.id, ledger.counters.named())
        self.published = self.pipeline.counters.named()
        self._connect()

    def _restart_analyzer(self) -> None:
        self.totals_file.close()
        self._start_analyzer()

    def _connect(self) -> None:
        upcoming = self.queue[0] if self.queue else self.page.words[layout.outcome_word("accepted")] + 1
        if not self.pipeline.handshake(Hello(self.epoch, upcoming), self._fresh_id()):
            self.totals_file.write(self.pipeline.ledger.id, {})
            self.it_saves_and_publishes()

    def _fresh_id(self) -> int:
        self.ids += 1
        return self.ids


TestSidecar = Sidecar.TestCase
TestSidecar.settings = settings(max_examples=examples(20), stateful_step_count=25, deadline=None)
