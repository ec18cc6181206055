"""The counter page: the proxy writes it with plain 8-byte stores, the analyzer reads consistent copies.

A sequence lock protects a group of stores: the proxy increments the lock word before and after the group, so that it is
odd while the group is open. A reader repeats its copy until the lock was the same even number before and after. If the
writer died or was stopped inside a group, the reader accepts the copy after `ATTEMPTS`; then one exchange may be only
partly counted. Every group of stores that belong together must stand between two increments.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import time
from bisect import bisect_left
from dataclasses import dataclass
from pathlib import Path

from ..errors import PilotfishError, quote_value
from ..system.files import replace_file
from ..system.ownership import is_own
from . import layout as at
from .peers import FILE_MODE, secure_folder

_BOUNDS, _SUM = at.BOUNDS, at.BUCKETS
_LOG = logging.getLogger("pilotfish.proxy")

ATTEMPTS = 200
LARGEST = 2**62  # a larger counter is damage
RETRY_SECONDS = 0.0002


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
    """One route slot: exchanges by status class and by gRPC status, bytes, exchanges in flight, histograms by name."""

    route: str
    codes: dict[str, int]
    grpc: tuple[int, ...]
    bytes_in: int
    bytes_out: int
    in_flight: int
    histograms: dict[str, LatencyHistogram]


@dataclass(frozen=True, slots=True)
class PageSnapshot:
    """A consistent copy of the page: `outcomes` by (outcome, reason), counters by name, the slots in use.

    `has_reader` is whether the channel has a reader, `draining_ns` the time of SIGTERM in epoch ns or 0, and
    `captured_bytes` the memory of captured bodies.
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
        for slot, name in ((at.PROBES, "probes"), (at.OTHER, "other")):
            self._set_name(slot, name)

    @classmethod
    def open(cls, path: Path, *, now_ns: int) -> CounterPage:
        """Open the page at `path`, or create it. Counters continue, gauges restart at 0, and the epoch increases.

        A damaged page is copied to another file, and counters start from zero.

        Raise PageError if another proxy has the page open, UsageError if folder or page belong to another user.
        """
        secure_folder(path.parent)
        if not _is_page(path):
            replace_file(path, bytes(at.SIZE), mode=FILE_MODE)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise PageError(
                f"counter page {quote_value(path)}: another proxy writes it; give each proxy its own --shared folder"
            ) from error
        backing = mmap.mmap(descriptor, at.SIZE)
        words = memoryview(backing).cast("Q")
        if _is_damaged(words):
            _set_aside(path, backing[:])
            backing[:] = bytes(at.SIZE)
        words[at.AT_LOCK] += words[at.AT_LOCK] & 1
        words[at.AT_EPOCH] = max(words[at.AT_EPOCH] + 1, now_ns)
        words[at.AT_STARTED] = words[at.AT_HEARTBEAT] = now_ns
        words[at.AT_PID] = os.getpid()
        for gauge in (at.AT_READER, at.AT_DRAINING, at.AT_CAPTURED, *map(at.connection, at.CONNECTION_GAUGES)):
            words[gauge] = 0
        for slot in range(at.SLOTS):
            words[at.AT_SLOTS + slot * at.SLOT_WORDS + at.SLOT_IN_FLIGHT] = 0
        words[at.AT_LAYOUT] = at.LAYOUT
        words[at.AT_MAGIC] = at.MAGIC
        return cls(words, backing, descriptor)

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
        for word in range(at.SLOT_CODES, at.SLOT_WORDS):
            if words[base + word]:
                words[other + word] += words[base + word]
                words[base + word] = 0
        self._set_name((base - at.AT_SLOTS) // at.SLOT_WORDS, name)
        words[at.AT_LOCK] += 1

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
        """Unmap the page. The file stays for readers and for the next proxy."""
        self.words.release()
        self._backing.close()
        os.close(self._descriptor)

    def _set_name(self, slot: int, name: str) -> None:
        raw = slot_name(name).encode()
        start = (at.AT_SLOTS + slot * at.SLOT_WORDS + at.SLOT_NAME) * 8
        self.words.cast("B")[start : start + at.NAME_WORDS * 8] = raw.ljust(at.NAME_WORDS * 8, b"\0")


def read_page(path: Path) -> PageSnapshot:
    """Return a consistent copy of the page at `path`.

    Raise PageError if it is missing, has another layout or belongs to another user.
    """
    if not _is_page(path):
        raise PageError(
            f"counter page {quote_value(path)} is missing or has another layout; "
            "check that a proxy of the same version uses this --shared folder"
        )
    with open(path, "rb") as file, mmap.mmap(file.fileno(), at.SIZE, access=mmap.ACCESS_READ) as backing:
        for _ in range(ATTEMPTS):
            before = backing[at.AT_LOCK * 8 : at.AT_LOCK * 8 + 8]
            copy = backing[: at.SIZE]
            if (
                copy[at.AT_LOCK * 8 : at.AT_LOCK * 8 + 8] == before == backing[at.AT_LOCK * 8 : at.AT_LOCK * 8 + 8]
                and not before[0] & 1
            ):
                break
            time.sleep(RETRY_SECONDS)
    return _snapshot(memoryview(copy).cast("Q"))


def slot_name(route: str) -> str:
    """Return the name that the page stores for a route: its first 128 bytes in UTF-8."""
    return route.encode("utf-8", "replace")[: at.NAME_WORDS * 8].decode("utf-8", "ignore")


def _is_page(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not is_own(status.st_uid):
                raise PageError(
                    f"counter page {quote_value(path)} belongs to user {status.st_uid}, and Pilotfish runs as user "
                    f"{os.geteuid()}; run proxy and analyzer as one user"
                )
            head = memoryview(file.read(16))
            return len(head) == 16 and tuple(head.cast("Q")) == (at.MAGIC, at.LAYOUT) and status.st_size == at.SIZE
    except FileNotFoundError:
        return False


def _is_damaged(words: memoryview) -> bool:
    """Return whether a word holds a number that no counter reaches. A store of a larger one would raise."""
    used = [range(at.AT_LOCK, at.AT_SLOTS)]
    for slot in range(at.SLOTS):
        base = at.AT_SLOTS + slot * at.SLOT_WORDS
        used.append(range(base + at.SLOT_NAME + at.NAME_WORDS, base + at.SLOT_WORDS))
    return any(max(words[part.start : part.stop]) > LARGEST for part in used if part)


def _set_aside(path: Path, content: bytes) -> None:
    copy = path.with_name(f"{path.name}.refused")
    try:
        replace_file(copy, content, mode=FILE_MODE)
        where = f"it was copied to {quote_value(copy)}"
    except OSError as error:
        where = f"it cannot be copied: {error.strerror}"
    _LOG.warning("the counter page %s is damaged: counters start from zero; %s", quote_value(path), where)


def _slot_name(words: memoryview, slot: int) -> str:
    start = at.AT_SLOTS + slot * at.SLOT_WORDS + at.SLOT_NAME
    return bytes(words[start : start + at.NAME_WORDS]).rstrip(b"\0").decode("utf-8", "replace")


def _snapshot(words: memoryview) -> PageSnapshot:
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
    )
