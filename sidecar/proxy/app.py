"""The command `pilotfish proxy`: creates all parts of the data plane and runs them until a signal ends the process.

This is the only module that connects the parts. Signal handlers are installed before the listeners exist, so that a
signal never cuts off an accepted client.
"""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..channel import PAGE_FILE, SETTINGS_FILE, SOCKET_FILE, UPSTREAMS_FILE
from ..channel import layout as at
from ..channel.page import CounterPage
from ..channel.sender import Sender
from ..channel.upstreams import UnreachableUpstream, write_unreachable
from ..errors import PilotfishError, UsageError, quote_value
from ..log import add_log_arguments
from ..settings.proxy import MAX_BYTES, ProxySettings, ProxySettingsError, parse_proxy_settings
from ..system.addresses import Address
from ..system.files import read_file
from ..system.parent_death import ORPHANED
from .arguments import add_pair_arguments, parse_endpoint, parse_pairs
from .channel_writer import ChannelWriter
from .connections import ConnectionManager
from .drain import Drain
from .health import HealthServer
from .listener import Listener, connection_limit
from .observer import Observer
from .reactor import IN, SECOND, Reactor
from .sockets import listen
from .upstream import Upstream

T = TypeVar("T")
_LOG = logging.getLogger("pilotfish.proxy")

_HEARTBEAT_INTERVAL = SECOND // 2
_DRAIN = (signal.SIGTERM, signal.SIGHUP)
ORPHAN_DRAIN = 2 * SECOND  # without a supervisor, whose next start needs the addresses
PREDECESSOR_SECONDS = 3.0  # for a proxy that drains as an orphan and has the addresses and the page until it ends
PREDECESSOR_POLL = 0.02  # seconds
_IN_USE = (errno.EADDRINUSE, errno.EWOULDBLOCK)  # the latter: the page is locked


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pilotfish proxy`."""
    add_pair_arguments(parser)
    add_log_arguments(parser)
    parser.add_argument("--shared", required=True, type=Path, metavar="DIR", help="folder shared with the analyzer")
    parser.add_argument("--health", metavar="HOST:PORT", help="address that serves GET /healthz and /readyz")


def run(args: argparse.Namespace) -> int:
    """Run the proxy until a signal ends it. Return the exit status; raise UsageError for unusable options."""
    pairs = parse_pairs(args.listen, args.upstream)
    health = parse_endpoint(args.health, "--health") if args.health else None
    limits = Limits(
        connections=args.max_connections,
        connect_wait=int(args.connect_wait_seconds * SECOND),
        drain=int(args.drain_seconds * SECOND),
    )
    try:
        args.shared.mkdir(mode=0o700, parents=True, exist_ok=True)
        proxy = Proxy(pairs, args.shared, health, limits)
    except OSError as error:
        raise UsageError(
            f"cannot use --shared {quote_value(args.shared)}: {error.strerror or error}; "
            "check the path and its permissions"
        ) from error
    return proxy.run()


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one proxy. Times are in ns.

    connections    greatest number of open connections
    connect_wait   how long a client waits for an upstream that has not been reached yet
    drain          how long open connections may take to end after SIGTERM
    """

    connections: int
    connect_wait: int
    drain: int


class Proxy:
    """The data plane of one process: (listen, upstream) pairs, a shared folder, and an optional health address."""

    def __init__(
        self,
        pairs: Sequence[tuple[Address, Address]],
        shared: Path,
        health: Address | None,
        limits: Limits,
    ) -> None:
        self._shared = shared
        self._settings_version: tuple[int, int] | None = None  # of the file that was read last
        self._settings_problem: str | None = None
        self._unreachable: list[UnreachableUpstream] | None = None  # as in the file
        self._reactor = reactor = Reactor()
        self._install_signal_handlers()  # before any client can connect
        self._page = after_predecessor(lambda: CounterPage.open(shared / PAGE_FILE, now_ns=time.time_ns()))
        sender = Sender(shared / SOCKET_FILE, self._page.words[at.AT_EPOCH])
        self._channel_writer = ChannelWriter(reactor, sender, lambda: self._observer.next_sequence, self._set_reader)
        self._observer = Observer(self._page, self._channel_writer, ProxySettings())
        self._connections = ConnectionManager(self._page, connection_limit(limits.connections), self._stop_if_drained)
        self._drain = Drain(reactor, self._connections, self._stop_unless_clients_wait, reactor.stop)
        self._drain_limit = limits.drain
        sockets = [after_predecessor(partial(listen, listen_at)) for listen_at, _ in pairs]
        self._upstreams = [Upstream(reactor, self._page, address, limits.connect_wait) for _, address in pairs]
        self._page.words[at.connection("upstreams")] = len(pairs)
        self._listeners = [
            Listener(reactor, sock, upstream, self._observer, self._connections, index)
            for index, (sock, upstream) in enumerate(zip(sockets, self._upstreams, strict=True))
        ]
        self._health = (
            HealthServer(reactor, after_predecessor(lambda: listen(health)), self._describe) if health else None
        )
        self._pairs = pairs

    def run(self) -> int:
        """Relay until a signal ends the process; return the exit status."""
        self._heartbeat()
        self._channel_writer.start()
        for upstream, listener in zip(self._upstreams, self._listeners, strict=True):
            upstream.start()
            listener.start()
        if self._health is not None:
            self._health.start()
        for listen_at, address in self._pairs:
            _LOG.info("relaying %s to %s", listen_at, address)
        gc.freeze()
        self._reactor.run()
        self._connections.abort_all()
        self._channel_writer.drain()
        self._page.close()
        return 0

    def _describe(self) -> dict[str, object]:
        states = [(upstream.address, upstream.reachability) for upstream in self._upstreams]
        is_reachable = all(state.is_reachable for _, state in states)
        return {
            "status": "draining" if self._drain.has_begun else "ok" if is_reachable else "upstream_unreachable",
            "ready": is_reachable and not self._drain.has_begun,
            "upstreams": [
                {"address": str(address), "reachable": state.is_reachable, "reason": state.reason}
                for address, state in states
            ],
            "connections": self._connections.count,
            "analyzer": "connected" if self._channel_writer.connected else "absent",
            "epoch": self._page.words[at.AT_EPOCH],
        }

    def _heartbeat(self) -> None:
        self._reactor.call_later(_HEARTBEAT_INTERVAL, self._heartbeat)  # first: a defect below must not end it
        self._page.beat(time.time_ns(), time.monotonic_ns())
        self._observer.update()
        self._read_settings()
        self._write_unreachable()

    def _set_reader(self, connected: bool) -> None:
        if connected:
            self._read_settings()  # the analyzer writes them before it listens
        self._page.words[at.AT_READER] = int(connected)

    def _write_unreachable(self) -> None:
        """Write the unreachable upstreams for the analyzer if they changed. The next heartbeat repeats a failed try."""
        states = [(str(upstream.address), upstream.reachability.reason) for upstream in self._upstreams]
        found = [UnreachableUpstream(address, reason) for address, reason in states if reason is not None]
        if found == self._unreachable:
            return
        with suppress(OSError):  # the counter page has their number, and the log the reasons
            write_unreachable(self._shared / UPSTREAMS_FILE, self._page.words[at.AT_EPOCH], found)
            self._unreachable = found

    def _read_settings(self) -> None:
        """Apply the settings file if it changed. An invalid file leaves the old settings in force.

        A file that cannot be read, such as without a free descriptor, is read again at the next call.
        """
        path = self._shared / SETTINGS_FILE
        version = problem = None
        try:
            status = path.stat()
            version = status.st_mtime_ns, status.st_ino
            if version == self._settings_version:
                return
            self._observer.apply(parse_proxy_settings(read_file(path, MAX_BYTES), path.name))
        except FileNotFoundError:
            return
        except ProxySettingsError as error:
            problem = str(error)
        except OSError as error:
            version, problem = None, f"{path.name}: {error.strerror}"
        if problem and problem != self._settings_problem:
            _LOG.error("settings were not applied, the old ones stay in force: %s", problem)
        elif self._settings_problem and not problem:
            _LOG.info("the settings in %s are applied again", path.name)
        self._settings_version, self._settings_problem = version, problem

    def _install_signal_handlers(self) -> None:
        """Deliver signals through a socket, so that the event loop handles them."""
        write_end, read_end = socket.socketpair()
        for sock in (write_end, read_end):
            sock.setblocking(False)
        signal.set_wakeup_fd(write_end.fileno(), warn_on_full_buffer=False)
        for number in (*_DRAIN, ORPHANED, signal.SIGINT):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP
                signal.signal(number, lambda *_: None)
        self._wakeup = write_end
        self._reactor.register(read_end.fileno(), IN, lambda _: self._on_signals(read_end.recv(64)), self._reactor.stop)

    def _on_signals(self, numbers: bytes) -> None:
        """Start to drain, once: a service manager may signal the proxy itself, and the supervisor forwards its own."""
        if signal.SIGINT in numbers:
            self._reactor.stop()
        elif ORPHANED in numbers:
            _LOG.warning("the supervisor has died")
            self._start_drain(min(ORPHAN_DRAIN, self._drain_limit))
        elif any(number in numbers for number in _DRAIN):
            self._start_drain(self._drain_limit)

    def _start_drain(self, limit: int) -> None:
        if not self._drain.has_begun:
            self._page.words[at.AT_DRAINING] = time.time_ns()
            _LOG.info("draining; open connections: %d", self._connections.count)
        self._drain.start(limit)
        self._stop_if_drained()

    def _stop_if_drained(self) -> None:
        if self._drain.has_begun and not self._connections.count:
            self._reactor.call_later(0, self._stop_unless_clients_wait)

    def _stop_unless_clients_wait(self) -> None:
        """Stop if no client waits. The sockets close first: a client in the backlog of an ending process is reset."""
        for listener in self._listeners:
            listener.close()
        if not self._connections.count:
            self._reactor.stop()


def after_predecessor(take: Callable[[], T]) -> T:
    """Return the result of `take`; repeat it for a few seconds while another process has the address or the page.

    After a kill of the supervisor, its proxy drains as an orphan. A new start follows it without an error.
    """
    deadline: float | None = None
    while True:
        try:
            return take()
        except PilotfishError as error:
            if getattr(error.__cause__, "errno", None) not in _IN_USE:
                raise
            now = time.monotonic()
            if deadline is None:
                deadline = now + PREDECESSOR_SECONDS
                _LOG.info(
                    "%s; trying again for %g s, since the process that has it may be ending", error, PREDECESSOR_SECONDS
                )
            if now >= deadline:
                raise
            time.sleep(PREDECESSOR_POLL)
