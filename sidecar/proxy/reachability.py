"""Whether an upstream accepts connections: the state that readiness, log and counter page report."""

from __future__ import annotations

import logging

from ..channel import layout as at
from ..channel.page import CounterPage
from ..system.addresses import Address
from .reactor import SECOND, Reactor

_LOG = logging.getLogger("pilotfish.proxy")
_UNREACHABLE = at.connection("upstreams_unreachable")
LOG_INTERVAL = SECOND  # an upstream that accepts and refuses in turn writes one line in this time


class Reachability:
    """The result of the last attempt to connect to one upstream. It starts as unreachable: nothing was tried yet.

    reason          why the upstream is unreachable, or None while it is reachable
    has_connected   whether an attempt has succeeded since the start
    since           monotonic ns of the start, or of the last change of the state
    """

    def __init__(self, reactor: Reactor, page: CounterPage, address: Address) -> None:
        self._reactor = reactor
        self._page = page
        self._address = address
        self.reason: str | None = "no connection has been tried yet"
        self.has_connected = False
        self.since = reactor.now()
        self._logged = True  # the state in the log; the line "relaying ... to ..." implies a reachable upstream
        self._log_after = self.since
        self._is_log_scheduled = False
        page.add(_UNREACHABLE)

    @property
    def is_reachable(self) -> bool:
        """Return whether the last attempt succeeded."""
        return self.reason is None

    def succeeded(self) -> None:
        """Record that an attempt succeeded."""
        if self.reason is not None:
            self.reason = None
            self.has_connected = True
            self._change(-1)

    def failed(self, reason: str) -> None:
        """Record that an attempt failed."""
        was_reachable, self.reason = self.reason is None, reason
        if was_reachable:
            self._change(1)
        else:
            self._log_change()

    def _change(self, step: int) -> None:
        self._page.add(_UNREACHABLE, step)
        self.since = self._reactor.now()
        self._log_change()

    def _log_change(self) -> None:
        """Log the state if the log has another one, now or when the interval has passed."""
        if self.is_reachable == self._logged or self._is_log_scheduled:
            return
        now = self._reactor.now()
        if now < self._log_after:
            self._is_log_scheduled = True
            self._reactor.call_at(self._log_after, self._log_later)
            return
        self._logged = self.is_reachable
        self._log_after = now + LOG_INTERVAL
        if self.reason is None:
            _LOG.info("upstream %s accepts connections", self._address)
        else:
            _LOG.warning(
                "upstream %s is unreachable: %s; Pilotfish keeps trying to connect",
                self._address,
                self.reason,
            )

    def _log_later(self) -> None:
        self._is_log_scheduled = False
        self._log_change()
