"""One model server: its addresses, whether it accepts connections, and the clients that wait for it.

While the upstream is unreachable, one probe at a time tries to connect: fast while clients wait, else once a second.
No probe is sent to a reachable upstream, so the model server sees one empty connection per start and outage at most.
"""

from __future__ import annotations

import errno
import socket
from typing import Protocol

from ..channel import layout as at
from ..channel.page import CounterPage
from ..system.addresses import Address
from .attempt import ConnectAttempt
from .deadlines import Deadlines
from .lookup import NameLookup, Resolve
from .reachability import Reachability
from .reactor import SECOND, Reactor
from .sockets import Target, literal_targets, resolve

RETRY = SECOND // 10  # between two probes while clients wait
PROBE = SECOND  # between two probes otherwise
LEAST_ATTEMPT = SECOND  # for one attempt; a reachable model server answers a SYN sooner
NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_FAILURES = at.connection("connect_failures")
_NEVER = 1 << 63


class WaitingClient(Protocol):
    """A client without a connection to the upstream."""

    def attempt(self) -> None:
        """Try to connect now."""

    def adopt(self, server: socket.socket) -> None:
        """Use a connection that a probe has opened."""

    def refuse_unless_patient(self) -> None:
        """Refuse the client, unless it may wait longer."""


class Upstream:
    """The model server at `address`. `wait` is how long a client waits for one that has not been reached yet, in ns.

    `resolve` looks up a name. It may block, because it is called in a thread. IP addresses and paths need no lookup.
    """

    def __init__(
        self, reactor: Reactor, page: CounterPage, address: Address, wait: int, resolve: Resolve = resolve
    ) -> None:
        self.address = address
        self.reachability = Reachability(reactor, page, address)
        self.deadlines = Deadlines(reactor)
        self.targets = literal_targets(address)
        self._reactor = reactor
        self._page = page
        self._wait = wait
        self._lookup = None if self.targets else NameLookup(reactor, address, resolve, self._found, self._not_found)
        self._last_found: tuple[Target, ...] = ()
        self._waiting: dict[WaitingClient, None] = {}
        self._probing = False
        self._probe_at = _NEVER

    def start(self) -> None:
        """Find out whether the upstream accepts connections."""
        if self._lookup is not None:
            self._lookup.start()
        self._schedule_probe(0)

    @property
    def is_looking_up(self) -> bool:
        """Return whether the name is being resolved."""
        return self._lookup is not None and self._lookup.is_running

    def patience(self) -> int:
        """Return how long a new client may wait between attempts, in ns.

        This is 0 if the upstream was reached before: then a refusal is its own answer. It is also 0 if the upstream has
        been unreachable for longer than the limit.
        """
        state = self.reachability
        return 0 if state.has_connected or self._reactor.now() - state.since >= self._wait else self._wait

    def connect_limit(self) -> int:
        """Return the time limit for the attempts of a new client, in ns."""
        state = self.reachability
        is_outage = not state.is_reachable and self._reactor.now() - state.since >= self._wait
        return LEAST_ATTEMPT if is_outage else max(self._wait, LEAST_ATTEMPT)

    def attempt_until(self, until: int) -> int:
        """Return the end of an attempt for a client that is served until `until`, in ns.

        The addresses of a name may be out of date. If they do not answer, half of the time is left for new ones.
        """
        now = self._reactor.now()
        return until if self._lookup is None else now + (until - now) // 2

    def wait(self, client: WaitingClient) -> None:
        """Let the client wait until the upstream is reached, or its name is resolved again."""
        self._waiting[client] = None
        self._schedule_probe(RETRY)

    def leave(self, client: WaitingClient) -> None:
        """Forget a client that waits."""
        self._waiting.pop(client, None)

    def reached(self, target: Target) -> None:
        """Record a successful attempt, and try its target first from now on. It may end the wait of all clients."""
        if target != self.targets[0] and target in self.targets:
            self.targets = (target, *(other for other in self.targets if other != target))
        if not self.reachability.is_reachable:
            self.reachability.succeeded()
            for client in self._take_waiting():
                client.attempt()

    def failed(self, error: OSError) -> None:
        """Record a failed attempt, look the name up again, and probe until the upstream is reached."""
        if error.errno not in NO_DESCRIPTOR:  # without a descriptor, no attempt was made
            self._page.add(_FAILURES)
            self.reachability.failed(error.strerror or str(error))
            if self._lookup is not None:
                self._lookup.start()
        self._schedule_probe(RETRY if self._waiting else PROBE)

    def _schedule_probe(self, delay: int) -> None:
        when = self._reactor.now() + delay
        if when < self._probe_at:
            self._probe_at = when
            self._reactor.call_at(when, self._probe)

    def _probe(self) -> None:
        if self._reactor.now() < self._probe_at:  # the timer of a later probe, which an earlier one has replaced
            return
        self._probe_at = _NEVER
        if self.reachability.is_reachable or self._probing:
            return
        if not self.targets:
            assert self._lookup is not None
            self._lookup.start()
            if self.is_looking_up and self._reactor.now() - self.reachability.since >= self._wait:
                self.reachability.failed("the lookup of its name has not ended yet")
            self._schedule_probe(RETRY if self._waiting else PROBE)
            return
        self._probing = True
        until = self._reactor.now() + LEAST_ATTEMPT
        ConnectAttempt(self._reactor, self.deadlines, self.targets, until, self._probed, self._probe_failed).start()

    def _probed(self, server: socket.socket, target: Target) -> None:
        self._probing = False
        if self._waiting:
            client = next(iter(self._waiting))
            del self._waiting[client]
            client.adopt(server)
        else:
            server.close()
        self.reached(target)

    def _probe_failed(self, error: OSError) -> None:
        self._probing = False
        self.failed(error)

    def _found(self, targets: tuple[Target, ...]) -> None:
        if targets == self._last_found:
            for client in list(self._waiting):
                client.refuse_unless_patient()
            return
        self.targets = self._last_found = targets
        self._schedule_probe(0)
        for client in self._take_waiting():
            client.attempt()

    def _not_found(self, error: OSError) -> None:
        self.reachability.failed(f"the name does not resolve: {error.strerror or error}")
        for client in list(self._waiting):
            client.refuse_unless_patient()
        self._schedule_probe(RETRY if self._waiting else PROBE)

    def _take_waiting(self) -> list[WaitingClient]:
        clients = list(self._waiting)
        self._waiting.clear()
        return clients
