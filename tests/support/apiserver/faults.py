"""What can go wrong between a client and the server, chosen by a predicate over the request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from multidict import MultiMapping


@dataclass(frozen=True)
class Call:
    """One request, as the log keeps it. `user` is the name of the token's user."""

    method: str
    path: str
    query: MultiMapping[str]
    body: Any
    user: str

    @property
    def watches(self) -> bool:
        """Whether it opens a watch."""
        return self.query.get("watch") in {"1", "true"}

    def __str__(self) -> str:
        return f"{self.method} {self.path}{' (watch)' if self.watches else ''}"


def every(call: Call) -> bool:
    """Match every request."""
    return True


def writes(call: Call) -> bool:
    """Match requests that change something."""
    return call.method != "GET"


def watches(call: Call) -> bool:
    """Match requests that open a watch."""
    return call.watches


When = Literal["before", "after"]


@dataclass(eq=False)
class Fault:
    """A fault for the next `times` requests that match, or for all until it is removed.

    status       the response is an error, with `reason`, `message` and `retry_after`
    raw          the response has status 200 and this body
    delay        seconds before the request is handled
    hang         no response until `release()`: "before" the request is carried out, or "after"
    drop         the connection is closed: "before" the request is carried out, or "after"
    silent       a watch is opened and never sends a byte
    """

    when: Callable[[Call], bool] = every
    status: int = 0
    reason: str = ""
    message: str = "injected by a test"
    retry_after: int | None = None
    raw: bytes | None = None
    delay: float = 0.0
    hang: When | None = None
    drop: When | None = None
    silent: bool = False
    times: int | None = None
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        """Let the requests go on that hang, and affect no further one."""
        self.times = 0
        self.released.set()


class Faults(list[Fault]):
    """The faults in force; the first that matches is used."""

    def add(self, fault: Fault) -> Fault:
        """Put a fault into force and return it."""
        self.append(fault)
        return fault

    def take(self, call: Call) -> Fault | None:
        """Return the fault for a request, and count it."""
        for fault in self:
            if (fault.times is None or fault.hits < fault.times) and fault.when(call):
                fault.hits += 1
                return fault
        return None

    def end(self) -> None:
        """Remove all faults; requests that hang go on."""
        for fault in self:
            fault.release()
        self.clear()
