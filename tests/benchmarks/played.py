"""A simulated proxy: sends records of requests and responses as fast as the analyzer reads them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from pilotfish.sidecar.channel.sender import Sender
from tests.support.records import make_record


def hand_over(path: str, exchanges: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the bodies of requests and answers to the analyzer whose socket is at `path`."""
    sender = Sender(Path(path), 1)
    while not sender.connect(1):
        time.sleep(0.01)
    for sequence, (request, response) in enumerate(exchanges, 1):
        record = make_record(sequence, request, response, at_ns=time.time_ns())
        while not sender.offer(record):
            sender.flush()
            time.sleep(0.0005)
        if sequence % 64 == 0:
            sender.flush()
    while sender.pending:
        sender.flush()
        time.sleep(0.0005)
