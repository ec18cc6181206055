"""TLS for a server: certificate and key from files that are read again when they change, and bounded handshakes.

cert-manager and kubelet replace both files while the server runs. A new connection uses the new files. If they cannot
be used, the ones in force stay, and `problem` says why.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import time
from asyncio import sslproto
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from ..errors import UsageError, quote_value
from ..system.addresses import Address
from .binding import bind

_LOG = logging.getLogger("pilotfish.tls")

HANDSHAKE_SECONDS = 5.0
LOG_SECONDS = 60.0  # between two lines about faults of one kind
SHUTDOWN_SECONDS = 2.0  # for the closing alert of the client
MAX_HANDSHAKES = 256  # at the same time; then the oldest one is dropped
BUFFER_BYTES = 32 * 1024  # of each connection; asyncio would allocate 256 KiB, 2 GiB for 8192 connections
ACCEPTED_AT_ONCE = 64
PAUSE_SECONDS = 0.5  # after a connection could not be accepted, such as without free descriptors


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files of the server's certificate, with its chain, and of its private key."""

    certificate: Path
    key: Path


class TlsSource(Protocol):
    """What a server asks for the TLS context of each new connection."""

    @property
    def problem(self) -> str:
        """Why a newer certificate is not in force; empty otherwise."""

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection; connections that are open keep theirs."""


class TlsContext:
    """The TLS context of files. `current` reads them again if they have changed.

    Attributes:
        problem: why the changed files are not in force; empty otherwise.
    """

    def __init__(self, files: TlsFiles) -> None:
        """Read the files; raise UsageError if they cannot be used."""
        self._files = files
        self._signature = self._sign()
        self._context = load_context(files)
        self.problem = ""

    def current(self) -> ssl.SSLContext:
        """Return the context of the present files, or the last usable one."""
        signature = self._sign()
        if signature != self._signature:
            self._signature = signature
            try:
                self._context = load_context(self._files)
                self.problem = ""
            except UsageError as error:
                self.problem = f"{error}; the previous certificate stays in force"
        return self._context

    def _sign(self) -> tuple[object, ...]:
        """Return a value that changes with the files. It follows links, because a Secret volume replaces a link."""
        found: list[object] = []
        for path in (self._files.certificate, self._files.key):
            try:
                status = os.stat(path)
            except OSError as error:
                found.append(error.errno)
            else:
                found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        return tuple(found)


def load_context(files: TlsFiles) -> ssl.SSLContext:
    """Return the context of a server with this certificate; raise UsageError if the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = (
            getattr(error, "reason", None) or getattr(error, "strerror", None) or "they are not a pair of PEM files"
        )
        raise UsageError(
            f"cannot use the certificate {quote_value(files.certificate)} with the key {quote_value(files.key)}: "
            f"{reason}; give a PEM certificate with its chain, and its unencrypted key"
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key is encrypted")  # OpenSSL would ask the terminal


class HandshakeLog:
    """Logs each kind of fault of handshakes at once, and then once a minute with the number since the last line.

    The reasons are words of OpenSSL and of the kernel, and contain nothing that a client chose.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}  # when it was logged, and how many followed

    def note(self, what: str, reason: str) -> None:
        """Count one fault, and log it unless one of its kind was logged within a minute."""
        now = self._clock()
        logged_at, since = self._seen.get((what, reason), (-LOG_SECONDS, 0))
        if now - logged_at < LOG_SECONDS:
            self._seen[what, reason] = logged_at, since + 1
            return
        _LOG.warning("%s: %s%s", what, reason, f" ({since} more since the last line)" if since else "")
        self._seen[what, reason] = now, 0


class TlsListener:
    """Accepts connections at one address, and completes their handshakes, at most MAX_HANDSHAKES at a time.

    asyncio's own server starts any number of handshakes, so silent clients could take all descriptors.
    """

    def __init__(self, context: TlsSource, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._context = context
        self._protocol = protocol
        self._sockets: list[socket.socket] = []
        self._handshakes: dict[asyncio.Task[None], None] = {}
        self._begun: set[socket.socket] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._log = HandshakeLog(time.monotonic)

    async def start(self, address: Address, backlog: int) -> int:
        """Accept connections until `stop`; return the port. Raise OSError if the address cannot be bound."""
        sslproto.SSLProtocol.max_size = BUFFER_BYTES  # for all connections of this process
        bound = await bind(self._protocol, address, backlog, start_serving=False)
        self._sockets = [socket.socket(fileno=os.dup(one.fileno())) for one in bound.sockets]
        bound.close()
        for one in self._sockets:
            one.setblocking(False)
            one.listen(backlog)
        self._resume()
        found: int = self._sockets[0].getsockname()[1]
        return found

    async def stop(self) -> None:
        """Stop accepting, drop the handshakes, and close the sockets."""
        self._suspend()
        tasks = list(self._handshakes)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for one in self._sockets:
            one.close()

    def note_alert(self, error: ssl.SSLError) -> None:
        """Log an error of TLS that ended a connection, such as the alert of a client that trusts another authority."""
        self._log.note("a TLS connection failed", error.reason or type(error).__name__)

    def _resume(self) -> None:
        self._pause = None
        for one in self._sockets:
            asyncio.get_running_loop().add_reader(one, self._accept, one)

    def _suspend(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for one in self._sockets:
            asyncio.get_running_loop().remove_reader(one)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no free descriptor
                self._log.note("a client waits: no connection can be accepted", error.strerror or "")
                self._suspend()
                self._pause = asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._resume)
                return
            connection.setblocking(False)
            if len(self._handshakes) >= MAX_HANDSHAKES:
                oldest = next(iter(self._handshakes))
                del self._handshakes[oldest]
                oldest.cancel()
                self._log.note("the oldest TLS handshake made room", f"{MAX_HANDSHAKES} were open")
            task = asyncio.create_task(self._shake_hands(connection))
            self._handshakes[task] = None
            task.add_done_callback(partial(self._ended, connection))

    async def _shake_hands(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            context = self._context.current()
            self._begun.add(connection)
            await asyncio.get_running_loop().connect_accepted_socket(
                self._protocol,
                connection,
                ssl=context,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=SHUTDOWN_SECONDS,
            )
        except ssl.SSLError as error:  # such as an alert of a client that does not trust the certificate
            self._log.note("a TLS connection failed", error.reason or type(error).__name__)
        except OSError as error:  # the client left, or was silent for too long: port scans and TCP probes do so
            _LOG.debug("a TLS handshake did not end: %s", type(error).__name__)

    def _ended(self, connection: socket.socket, task: asyncio.Task[None]) -> None:
        self._handshakes.pop(task, None)
        if connection in self._begun:
            self._begun.discard(connection)  # from the first step on, the transport closes it
        else:
            connection.close()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("a TLS handshake failed with a defect; please report it", exc_info=error)
