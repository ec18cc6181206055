"""The proxy's side of an analyzer in the same process: a counter page with a recent heartbeat, and the channel."""

from __future__ import annotations

import time
from pathlib import Path

from pilotfish.sidecar.channel import layout
from pilotfish.sidecar.channel.page import CounterPage
from pilotfish.sidecar.channel.record import Record
from pilotfish.sidecar.channel.sender import Sender
from tests.support.waiting import eventually

LATER = 3600  # seconds: the heartbeat lies in the future, so that no test is too slow for it


class FakeProxy:
    """A proxy whose counters the test sets; close it after the analyzer."""

    def __init__(self, shared: Path, sender: Sender | None = None) -> None:
        shared.mkdir(exist_ok=True)
        self.page = CounterPage.open(shared / "page", now_ns=time.time_ns())
        self.page.words[layout.AT_HEARTBEAT] = time.time_ns() + LATER * 10**9
        self._sender = sender or Sender(shared / "records.sock", self.page.words[layout.AT_EPOCH])
        self._sequence = 0

    @property
    def sent(self) -> int:
        """The number of records so far."""
        return self._sequence

    async def connect(self) -> None:
        """Connect to the analyzer, and show it on the page."""
        await eventually(lambda: self._sender.connect(self._sequence + 1), what="a reader")
        await self._flushed()
        self.page.words[layout.AT_READER] = 1

    def count(self, outcome: str, reason: str, amount: int = 1) -> None:
        """Count exchanges that are not recorded."""
        self.page.add(layout.outcome_word(outcome, reason), amount)

    def set(self, word: int, value: int) -> None:
        """Set one word of the page."""
        self.page.add(word, value - self.page.words[word])

    async def send(self, *records: Record, age: float = 0.0) -> None:
        """Send records that happened `age` seconds ago; their sequence numbers are replaced by the next ones."""
        for record in records:
            self._sequence += 1
            self.page.add(layout.outcome_word("accepted"))
            now = time.time_ns() - int(age * 1e9)
            sent = self._sender.offer(record._replace(sequence=self._sequence, at_ns=now))
            assert sent, "the analyzer is not connected"
        await self._flushed()

    async def _flushed(self) -> None:
        await eventually(lambda: self._sender.flush() or not self._sender.pending, what="the records to be sent")

    def close(self) -> None:
        """Disconnect and unmap the page."""
        self._sender.disconnect()
        self.page.close()
