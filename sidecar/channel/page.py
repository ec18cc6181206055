"""The counter page: the proxy writes it with plain 8-byte stores, the analyzer reads consistent copies.

A sequence lock protects a group of stores: the proxy increments the lock word before and after the group, so that it is
odd while the group is open. A reader repeats its copy until the lock was the same even number before and after. If the
writer died or was stopped inside a group, the reader accepts the copy after `ATTEMPTS`; then one exchange may be only
partly counted. Every group of stores that belong together must stand between two increments.

Twice a second, the writer seals the page: it stores a checksum of the counters and the lock word that it belongs to.
While the lock word is the same, the checksum must fit. So damage to a page at rest is found by a reader and by the next
writer. The reader copies with pread(2): a file that is truncated while it is mapped ends a process by SIGBUS.
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import time
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from ..errors import PilotfishError, quote_value
from ..system.files import READ_FLAGS, require_regular
from ..system.lockedfile import open_locked, reopen_new
from ..system.ownership import is_own
from . import layout as at
from .page_damage import checksum, damage, file_damage
from .peers import secure_folder

_BOUNDS, _SUM = at.BOUNDS, at.BUCKETS
_LOCK, _IN_FLIGHT, _IN_FLIGHT_NS, _CHANGED = at.AT_LOCK, at.SLOT_IN_FLIGHT, at.SLOT_IN_FLIGHT_NS, at.SLOT_CHANGED
_LOG = logging.getLogger("pilotfish.proxy")

ATTEMPTS = 200
RETRY_SECONDS = 0.0002
SILENT_NS = 5 * 10**9  # a proxy settles its slots twice a second; in one that did not, nothing is in flight any more
_LOCKED = (errno.EAGAIN, errno.ESTALE)
_NO_ROOM = (errno.EDQUOT, errno.EFBIG, errno.EIO, errno.ENOSPC)


class PageError(PilotfishError):
    """The counter page is missing, has another layout, or belongs to another proxy."""


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """Counts per bucket and the sum in ns. `layout.BOUNDS` are inclusive upper bounds; the last bucket has none."""

    counts: tuple[int, ...]
    sum_ns: int

    @property
    def total(self) -> int:
        """Return the number of observed values."""
        return sum(self.counts)

    def quantile(self, q: float) -> float | None:
        """Return the upper bound, in seconds, of the bucket of the q-quantile; None without values."""
        rank, seen = q * self.total, 0
        for index, count in enumerate(self.counts):
            seen += count
            if count and seen >= rank:
                return at.BOUNDS[min(index, len(at.BOUNDS) - 1)] / 1e9
        return None


@dataclass(frozen=True, slots=True)
class RouteCounters:
    """One route slot: exchanges by status class and by gRPC status, bytes, exchanges in flight, histograms by name.

    `in_flight_ns` is the integral of the exchanges in flight over time, up to the monotonic time `changed_ns`.
    """

    route: str
    codes: dict[str, int]
    grpc: tuple[int, ...]
    bytes_in: int
    bytes_out: int
    in_flight: int
    histograms: dict[str, LatencyHistogram]
    in_flight_ns: int = 0
    changed_ns: int = 0

    def in_flight_time(self, now_ns: int) -> int:
        """Return the in-flight time up to the monotonic time `now_ns`, in ns.

        It includes the exchanges in flight, so the difference between two times is exact for the window between them.
        """
        return self.in_flight_ns + self.in_flight * min(max(0, now_ns - self.changed_ns), SILENT_NS)


@dataclass(frozen=True, slots=True)
class PageSnapshot:
    """A consistent copy of the page: `outcomes` by (outcome, reason), counters by name, the slots in use.

    `has_reader` is whether the channel has a reader, `draining_ns` the time of SIGTERM in epoch ns or 0, and
    `captured_bytes` the memory of captured bodies. `torn` is whether a group of stores was open in the copy.
    `read_ns` is the monotonic time of the copy.
    """

    epoch: int
    started_ns: int
    pid: int
    heartbeat_ns: int
    has_reader: bool
    draining_ns: int
    captured_bytes: int
    connections: dict[str, int]
    downgrades: dict[str, int]
    outcomes: dict[tuple[str, str], int]
    routes: tuple[RouteCounters, ...]
    torn: bool = False
    read_ns: int = 0

    @property
    def accepted(self) -> int:
        """Return the number of accepted records, which is the sequence number of the newest one."""
        return self.outcomes["accepted", ""]


class CounterPage:
    """The writer's side of the page. `words` are its unsigned 64-bit words; the observer writes them directly."""

    def __init__(self, words: memoryview, backing: mmap.mmap, descriptor: int) -> None:
        self.words = words
        self._descriptor = descriptor  # stays open because of its lock: a page has one writer
        self._backing = backing
        for slot, name in ((at.PROBES, at.PROBES_ROUTE), (at.OTHER, at.OTHER_ROUTE)):
            self._set_name(slot, name)

    @classmethod
    def open(cls, path: Path, *, now_ns: int) -> CounterPage:
        """Open the page at `path`, or create it. Counters continue, gauges restart at 0, and the epoch increases.

        A damaged page is set aside, and counters start from zero. On a full disk, the page is in memory that no reader
        sees, because traffic is relayed in any case.

        Raise PageError if another proxy has the page open, UsageError if folder or page belong to another user.
        """
        secure_folder(path.parent)
        descriptor, backing = _map(path)
        words = memoryview(backing).cast("Q")
        # One group of stores: no reader and no later writer may check the last seal with this epoch.
        words[at.AT_LOCK] |= 1  # it is odd already if the last writer died inside a group
        words[at.AT_SEALED] = 1  # no lock word at rest
        words[at.AT_LAYOUT] = at.LAYOUT
        words[at.AT_MAGIC] = at.MAGIC
        words[at.AT_EPOCH] = max(words[at.AT_EPOCH] + 1, now_ns)
        words[at.AT_STARTED] = words[at.AT_HEARTBEAT] = now_ns
        words[at.AT_PID] = os.getpid()
        for gauge in (at.AT_READER, at.AT_DRAINING, at.AT_CAPTURED, *map(at.connection, at.CONNECTION_GAUGES)):
            words[gauge] = 0
        for slot in range(at.SLOTS):
            base = at.AT_SLOTS + slot * at.SLOT_WORDS
            words[base + at.SLOT_IN_FLIGHT] = words[base + at.SLOT_CHANGED] = 0  # the clock may have started again
        page = cls(words, backing, descriptor)
        words[at.AT_LOCK] += 1
        page.seal()
        return page

    def beat(self, now_ns: int, monotonic_ns: int) -> None:
        """Write the heartbeat, settle the in-flight times, and seal the page.

        Call it twice a second, between groups of stores. A proxy that is killed loses the in-flight time since then.
        """
        words = self.words
        words[at.AT_HEARTBEAT] = now_ns
        self.seal()
        busy = [base for base in range(at.AT_SLOTS, at.WORDS, at.SLOT_WORDS) if words[base + _IN_FLIGHT]]
        if busy:
            words[_LOCK] += 1
            for base in busy:
                self.change_in_flight(base, 0, monotonic_ns)
            words[_LOCK] += 1
            self.seal()

    def seal(self) -> None:
        """Store the checksum of the counters. If they changed outside of a group, mark the page as damaged for good."""
        words = self.words
        sealed = words[at.AT_SEALED]
        if sealed == at.DAMAGED or words[at.AT_LOCK] & 1:
            return
        found = checksum(words)
        if sealed == words[at.AT_LOCK]:
            if words[at.AT_SEAL] != found:
                words[at.AT_SEALED] = at.DAMAGED
                _LOG.error("another process changed the counter page; it is not used until the proxy starts again")
            return
        words[at.AT_LOCK] += 1
        words[at.AT_SEAL] = found
        words[at.AT_SEALED] = words[at.AT_LOCK] + 1
        words[at.AT_LOCK] += 1

    def route_slots(self) -> range:
        """Return the first words of the slots that can be assigned to routes."""
        first = at.AT_SLOTS + at.FIRST_ROUTE * at.SLOT_WORDS
        return range(first, at.AT_SLOTS + at.OTHER * at.SLOT_WORDS, at.SLOT_WORDS)

    def routes(self) -> dict[str, int]:
        """Return the first word of each slot that has a route, by the name of the route."""
        named = ((_slot_name(self.words, slot), slot) for slot in range(at.FIRST_ROUTE, at.OTHER))
        return {name: at.AT_SLOTS + slot * at.SLOT_WORDS for name, slot in named if name}

    def replace_route(self, base: int, name: str) -> None:
        """Give the slot at the word `base` to another route. Its counters are added to `other`, so no sum decreases.

        No exchange may be in flight in the slot.
        """
        words, other = self.words, at.AT_SLOTS + at.OTHER * at.SLOT_WORDS
        words[at.AT_LOCK] += 1
        for word in range(at.SLOT_CODES, at.SLOT_WORDS):  # the slot's time of the last change stays
            if words[base + word]:
                words[other + word] += words[base + word]
                words[base + word] = 0
        self._set_name((base - at.AT_SLOTS) // at.SLOT_WORDS, name)
        words[at.AT_LOCK] += 1

    def change_in_flight(self, base: int, step: int, now: int) -> None:
        """Add `step` to the exchanges in flight of a slot at the monotonic time `now`, and settle its in-flight time.

        Call it inside a group of stores. `now` may be before the last change: the head of a request can arrive slowly.
        """
        words = self.words
        count = words[base + _IN_FLIGHT]
        elapsed = now - words[base + _CHANGED]
        if elapsed >= 0:
            words[base + _IN_FLIGHT_NS] += count * elapsed
            words[base + _CHANGED] = now
        else:
            words[base + _IN_FLIGHT_NS] -= step * elapsed
        words[base + _IN_FLIGHT] = count + step

    def observe(self, histogram: int, elapsed_ns: int) -> None:
        """Add one duration to the histogram that begins at the word `histogram`. Negative durations count as 0."""
        if elapsed_ns < 0:  # noqa: PLR1730 - runs twice per exchange: a comparison is cheaper than a call
            elapsed_ns = 0
        words = self.words
        words[histogram + bisect_left(_BOUNDS, elapsed_ns)] += 1
        words[histogram + _SUM] += elapsed_ns

    def add(self, word: int, amount: int = 1) -> None:
        """Add to one counter, as a group of one store. `amount` may be negative for gauges."""
        words = self.words
        words[at.AT_LOCK] += 1
        words[word] += amount
        words[at.AT_LOCK] += 1

    def close(self) -> None:
        """Seal and unmap the page. The file stays for readers and for the next proxy."""
        self.seal()
        self.words.release()
        self._backing.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def _set_name(self, slot: int, name: str) -> None:
        raw = slot_name(name).encode()
        start = (at.AT_SLOTS + slot * at.SLOT_WORDS + at.SLOT_NAME) * 8
        self.words.cast("B")[start : start + at.NAME_WORDS * 8] = raw.ljust(at.NAME_WORDS * 8, b"\0")


def read_page(path: Path) -> PageSnapshot:
    """Return a consistent copy of the page at `path`.

    Raise PageError if it is missing, damaged, has another layout or belongs to another user.
    """
    try:
        descriptor = os.open(path, READ_FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        raise PageError(f"counter page {quote_value(path)}: {error.strerror}; start the proxy") from error
    try:
        _require_own(path, descriptor)
        copy, consistent = _copy(descriptor)
        read_ns = time.monotonic_ns()
    except OSError as error:
        raise PageError(f"counter page {quote_value(path)}: {error.strerror}; start the proxy again") from error
    finally:
        os.close(descriptor)
    words = memoryview(copy).cast("Q") if len(copy) == at.SIZE else None
    if words is None or (words[at.AT_MAGIC], words[at.AT_LAYOUT]) != (at.MAGIC, at.LAYOUT):
        raise PageError(
            f"counter page {quote_value(path)} has another layout; "
            "check that a proxy of the same version uses this --shared folder"
        )
    if problem := damage(words, consistent=consistent):
        raise PageError(f"counter page {quote_value(path)} is damaged: {problem}; start the proxy again")
    return _snapshot(words, torn=not consistent, read_ns=read_ns)


def _copy(descriptor: int) -> tuple[bytes, bool]:
    """Return a copy of the page, and whether no group of stores was open while it was made."""
    require_regular(descriptor)
    lock, copy = slice(at.AT_LOCK * 8, at.AT_LOCK * 8 + 8), b""
    for _ in range(ATTEMPTS):
        before = os.pread(descriptor, 8, lock.start)
        copy = os.pread(descriptor, at.SIZE, 0)
        if copy[lock] == before == os.pread(descriptor, 8, lock.start) and not (before and before[0] & 1):
            return copy, True
        time.sleep(RETRY_SECONDS)
    return copy, False


def slot_name(route: str) -> str:
    """Return the name that the page stores for a route: its first 128 bytes in UTF-8."""
    return route.encode("utf-8", "replace")[: at.NAME_WORDS * 8].decode("utf-8", "ignore")


def _map(path: Path) -> tuple[int, mmap.mmap]:
    """Return the descriptor and the mapping of a usable page; on a full disk, -1 and private memory."""
    descriptor = -1
    try:
        descriptor = open_locked(path)
        _require_own(path, descriptor)
        if problem := file_damage(descriptor):
            descriptor, where = reopen_new(path, descriptor)
            _LOG.warning(
                "the counter page %s cannot be continued: %s; counters start from zero; %s",
                quote_value(path),
                problem,
                where,
            )
        os.ftruncate(descriptor, at.SIZE)
        os.posix_fallocate(descriptor, 0, at.SIZE)  # a store to a page without a block on a full disk raises SIGBUS
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        if error.errno in _LOCKED:
            raise PageError(
                f"counter page {quote_value(path)}: another proxy writes it; give each proxy its own --shared folder"
            ) from error
        if error.errno not in _NO_ROOM:
            raise
        _LOG.error(
            "the counter page %s cannot be written: %s; traffic is relayed and not measured; "
            "make room, and start the proxy again",
            quote_value(path),
            error.strerror,
        )
        return -1, mmap.mmap(-1, at.SIZE)
    return descriptor, mmap.mmap(descriptor, at.SIZE)


def _require_own(path: Path, descriptor: int) -> None:
    status = os.fstat(descriptor)
    if not is_own(status.st_uid):
        raise PageError(
            f"counter page {quote_value(path)} belongs to user {status.st_uid}, and Pilotfish runs as user "
            f"{os.geteuid()}; run proxy and analyzer as one user"
        )


def _slot_name(words: memoryview, slot: int) -> str:
    start = at.AT_SLOTS + slot * at.SLOT_WORDS + at.SLOT_NAME
    return bytes(words[start : start + at.NAME_WORDS]).rstrip(b"\0").decode("utf-8", "replace")


def _snapshot(words: memoryview, *, torn: bool, read_ns: int) -> PageSnapshot:
    routes = (_route(words, slot) for slot in range(at.SLOTS) if _slot_name(words, slot))
    return PageSnapshot(
        epoch=words[at.AT_EPOCH],
        started_ns=words[at.AT_STARTED],
        pid=words[at.AT_PID],
        heartbeat_ns=words[at.AT_HEARTBEAT],
        has_reader=bool(words[at.AT_READER]),
        draining_ns=words[at.AT_DRAINING],
        captured_bytes=words[at.AT_CAPTURED],
        connections=dict(zip(at.CONNECTIONS, words[at.AT_CONNECTIONS : at.AT_DOWNGRADES], strict=True)),
        downgrades=dict(zip(at.DOWNGRADES, words[at.AT_DOWNGRADES : at.AT_OUTCOMES], strict=True)),
        outcomes=dict(zip(at.OUTCOMES, words[at.AT_OUTCOMES : at.AT_SLOTS], strict=True)),
        routes=tuple(routes),
        torn=torn,
        read_ns=read_ns,
    )


def _route(words: memoryview, slot: int) -> RouteCounters:
    base = at.AT_SLOTS + slot * at.SLOT_WORDS
    histograms = {}
    for index, name in enumerate(at.HISTOGRAMS):
        start = base + at.SLOT_HISTOGRAMS + index * at.HISTOGRAM_WORDS
        histograms[name] = LatencyHistogram(tuple(words[start : start + at.BUCKETS]), words[start + at.BUCKETS])
    return RouteCounters(
        route=_slot_name(words, slot),
        codes=dict(zip(at.CODES, words[base + at.SLOT_CODES : base + at.SLOT_GRPC], strict=True)),
        grpc=tuple(words[base + at.SLOT_GRPC : base + at.SLOT_BYTES_IN]),
        bytes_in=words[base + at.SLOT_BYTES_IN],
        bytes_out=words[base + at.SLOT_BYTES_OUT],
        in_flight=words[base + at.SLOT_IN_FLIGHT],
        histograms=histograms,
        in_flight_ns=words[base + at.SLOT_IN_FLIGHT_NS],
        changed_ns=words[base + at.SLOT_CHANGED],
    )
