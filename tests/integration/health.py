"""Reads the health address of a proxy."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.process import Proxy, dial


def health(proxy: Proxy, path: str = "/readyz") -> tuple[int, dict[str, Any]]:
    """Return the status and the document at `path`."""
    with dial(proxy.health) as stream:
        stream.sendall(f"GET {path} HTTP/1.1\r\nHost: p\r\n\r\n".encode())
        received = b"".join(iter(lambda: stream.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)
