"""A proxy that is played: records of requests and answers, handed over as fast as they are taken."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from pilotfish.sidecar.channel.record import Record
from pilotfish.sidecar.channel.sender import Sender

HEAD = b"POST /v2/models/m/infer HTTP/1.1\r\nhost: model\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n"


def hand_over(path: str, exchanges: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the bodies of requests and answers to the analyzer whose socket is at `path`."""
    sender = Sender(Path(path), 1)
    while not sender.connect(1):
        time.sleep(0.01)
    for sequence, (request, response) in enumerate(exchanges, 1):
        sizes = (len(request), len(response))
        record = Record(sequence, time.time_ns(), 10**6, 2 * 10**6, 200, 0, *sizes, 0, "POST", "/v2/models/m/infer",
                        HEAD, ANSWER, request, response)  # fmt: skip
        while not sender.offer(record):
            sender.flush()
            time.sleep(0.0005)
        if sequence % 64 == 0:
            sender.flush()
    while sender.pending:
        sender.flush()
        time.sleep(0.0005)
