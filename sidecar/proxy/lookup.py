"""Resolves the name of an upstream in a thread, because getaddrinfo(3) blocks for as long as DNS does not answer."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from ..system.addresses import Address
from .reactor import SECOND, Reactor
from .sockets import Target

Resolve: TypeAlias = "Callable[[Address], tuple[Target, ...]]"
LOOKUP_INTERVAL = SECOND  # the least time between the starts of two lookups of one name


class NameLookup:
    """Looks up one name, one lookup at a time. Each ends with `on_found(targets)` or `on_failed(error)` in the loop."""

    def __init__(
        self,
        reactor: Reactor,
        address: Address,
        resolve: Resolve,
        on_found: Callable[[tuple[Target, ...]], None],
        on_failed: Callable[[OSError], None],
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._resolve = resolve
        self._on_found = on_found
        self._on_failed = on_failed
        self._started_at: int | None = None
        self.is_running = False

    def start(self) -> None:
        """Start a lookup, unless one is running or has started within the interval."""
        now = self._reactor.now()
        if self.is_running or (self._started_at is not None and now - self._started_at < LOOKUP_INTERVAL):
            return
        self.is_running = True
        self._started_at = now
        try:
            threading.Thread(target=self._run, name="lookup", daemon=True).start()
        except RuntimeError:  # the next failure tries again
            unstarted = OSError(errno.EAGAIN, "no thread can be started for its lookup")
            self._reactor.call_later(0, partial(self._finish, partial(self._on_failed, unstarted)))

    def _run(self) -> None:
        try:
            end = partial(self._on_found, self._resolve(self._address))
        except OSError as error:
            end = partial(self._on_failed, error)
        except Exception as error:  # without an end, no lookup would follow; the class alone, as in every log line
            end = partial(self._on_failed, OSError(errno.EINVAL, f"its lookup failed with {type(error).__name__}"))
        self._reactor.call_from_thread(partial(self._finish, end))

    def _finish(self, end: Callable[[], None]) -> None:
        self.is_running = False
        end()
