"""One socket listens at all addresses, with IPv6 and without."""

from __future__ import annotations

import errno
import socket
from typing import Any

import pytest

from pilotfish.sidecar.system.listening import listen_everywhere


def without_ipv6(monkeypatch: pytest.MonkeyPatch, error: OSError | None) -> None:
    """Let the kernel refuse IPv6 with `error`; None: this Python has no IPv6."""
    create_server = socket.create_server

    def refusing(*args: Any, **options: Any) -> socket.socket:
        if options.get("dualstack_ipv6"):
            raise error or AssertionError("this Python has no IPv6")
        return create_server(*args, **options)

    monkeypatch.setattr(socket, "create_server", refusing)
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: error is not None)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EAFNOSUPPORT, "no IPv6"),
        OSError(errno.EADDRNOTAVAIL, "off"),
        OSError(errno.EPROTONOSUPPORT, "no"),
        None,
    ],
)
def test_listening_works_without_ipv6(error: OSError | None, monkeypatch: pytest.MonkeyPatch) -> None:
    without_ipv6(monkeypatch, error)
    with listen_everywhere(0, 8) as sock:
        assert sock.family == socket.AF_INET
        assert sock.getsockname()[0] == "0.0.0.0"


def test_another_error_of_ipv6_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    without_ipv6(monkeypatch, OSError(errno.EADDRINUSE, "in use"))
    with pytest.raises(OSError, match="in use"):
        listen_everywhere(0, 8)
