"""A minimal reader of the record channel, in place of the analyzer.

As a program, `reader.py FOLDER OUT`, it appends one line per frame to OUT. Tests stop and kill this program.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pilotfish.sidecar.channel import SOCKET_FILE
from pilotfish.sidecar.channel.record import FRAME, Frame, Hello, Record, decode


def bind(shared: Path) -> socket.socket:
    """Listen on the channel's socket, and replace a previous socket file."""
    path = shared / SOCKET_FILE
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(4)
    return listener


def frames(stream: socket.socket) -> Iterator[Frame]:
    """Yield the complete frames of one connection until it ends."""
    with stream.makefile("rb") as file:
        while len(head := file.read(FRAME.size)) == FRAME.size:
            size, kind = FRAME.unpack(head)
            payload = file.read(size)
            if len(payload) < size:
                return
            yield decode(kind, payload)


class Reader:
    """The frames received so far."""

    def __init__(self) -> None:
        self.hellos: list[Hello] = []
        self.records: list[Record] = []

    def add(self, frame: Frame) -> None:
        """Store one frame."""
        if isinstance(frame, Hello):
            self.hellos.append(frame)
        else:
            self.records.append(frame)


@contextmanager
def reading(shared: Path) -> Iterator[Reader]:
    """Read the channel in a thread until the end of the block."""
    reader, listener = Reader(), bind(shared)
    current: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return  # shut down below
            current[:] = [stream]
            with stream:
                for frame in frames(stream):
                    reader.add(frame)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield reader
    finally:
        for stream in (listener, *current):
            with suppress(OSError):  # it has ended already
                stream.shutdown(socket.SHUT_RDWR)
        thread.join()
        listener.close()


def main(shared: Path, out: Path) -> None:
    """Append `hello EPOCH NEXT` and `record SEQUENCE` lines to `out`, one write per frame, until killed."""
    listener = bind(shared)
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    while True:
        stream, _ = listener.accept()
        with stream:
            for frame in frames(stream):
                hello = isinstance(frame, Hello)
                line = f"hello {frame.epoch} {frame.next_sequence}" if hello else f"record {frame.sequence}"  # type: ignore[union-attr]
                os.write(descriptor, line.encode() + b"\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
