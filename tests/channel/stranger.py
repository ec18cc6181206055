"""A process of another user at the channel's socket. As a program: `stranger.py UID feeds|reads SOCKET`.

It starts as root, because the other user may not be allowed to read Python's files.
"""

from __future__ import annotations

import os
import socket
import sys

TIMEOUT = 60.0  # seconds; the test ends the process earlier


def main(uid: str, role: str, path: str) -> None:
    """Connect and send bytes (`feeds`) or accept and read (`reads`). Print `ready`, then the bytes that came back."""
    with socket.socket(socket.AF_UNIX) as stream:
        stream.settimeout(TIMEOUT)
        os.setuid(int(uid))
        if role == "feeds":
            stream.connect(path)
            stream.sendall(b"x" * 100)
            print("ready", flush=True)
            try:
                print(stream.recv(1), flush=True)
            except ConnectionError:
                print(b"", flush=True)
            return
        stream.bind(path)
        stream.listen()
        print("ready", flush=True)
        connection, _ = stream.accept()
        with connection:
            print(connection.recv(1), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
