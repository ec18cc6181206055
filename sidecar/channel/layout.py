"""The fixed layout of the counter page, in 64-bit words: header, connections, outcomes, then the route slots.

Each constant below is the index of a word, or a table that determines indices. Proxies and analyzers of different
images share this layout through the page, so increment `LAYOUT` when you change a table.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

MAGIC = 0x5049_4C4F_5446_4953  # "PILOTFIS"
LAYOUT = 4

# header words; AT_READER is 1 while the channel has a reader, AT_DRAINING the time of SIGTERM in epoch ns (or 0),
# AT_CAPTURED the bytes that captured bodies hold, AT_SEAL a checksum of the counters, AT_SEALED the AT_LOCK that it
# belongs to, or DAMAGED
(
    AT_MAGIC,
    AT_LAYOUT,
    AT_LOCK,
    AT_EPOCH,
    AT_STARTED,
    AT_PID,
    AT_HEARTBEAT,
    AT_READER,
    AT_DRAINING,
    AT_CAPTURED,
    AT_SEAL,
    AT_SEALED,
    HEADER,
) = range(13)
DAMAGED = 2**64 - 1

CONNECTIONS = (
    "accepted",
    "open",  # gauge
    "ended",
    "reset",
    "refused_limit",
    "refused_upstream",
    "refused_descriptors",
    "opaque",
    "opaque_open",  # gauge
    "opaque_bytes_in",
    "opaque_bytes_out",
    "connect_failures",
    "upstreams",  # gauge
    "upstreams_unreachable",  # gauge
)
CONNECTION_GAUGES = ("open", "opaque_open", "upstreams", "upstreams_unreachable")

DOWNGRADES = (
    "not_http",
    "malformed",
    "too_large",
    "unmatched",
    "upgrade",
    "connect",
    "http2",
    "tls",
    "internal",
    "too_costly",
)

OUTCOMES = (
    ("accepted", ""),
    ("sampled_out", "rate"),
    ("sampled_out", "route"),
    ("sampled_out", "method"),
    ("dropped", "aborted"),
    ("dropped", "capture_budget"),
    ("dropped", "channel_full"),
    ("dropped", "downgraded"),
    ("dropped", "no_reader"),
)

AT_CONNECTIONS = HEADER
AT_DOWNGRADES = AT_CONNECTIONS + len(CONNECTIONS)
AT_OUTCOMES = AT_DOWNGRADES + len(DOWNGRADES)
AT_SLOTS = AT_OUTCOMES + len(OUTCOMES)

SLOTS = 32
PROBES, FIRST_ROUTE, OTHER = 0, 1, SLOTS - 1
PROBES_ROUTE, OTHER_ROUTE = "probes", "other"  # names of these slots; all others are a method and a path

# nanoseconds; 8 bounds per decade from 10 us to 100 s, rounded to three digits; one more bucket for larger values
BOUNDS = tuple(int(float(f"{10 ** (4 + step / 8):.2e}")) for step in range(57))
BUCKETS = len(BOUNDS) + 1

CODES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")  # "none": the exchange ended before a response head
GRPC_CODES = 17
NAME_WORDS = 16
HISTOGRAMS = ("time_to_first_byte", "duration", "first_event", "event_gap")

# words of one slot; SLOT_IN_FLIGHT_NS is the integral of SLOT_IN_FLIGHT up to SLOT_CHANGED, a monotonic time in ns
SLOT_NAME = 0
SLOT_CHANGED = SLOT_NAME + NAME_WORDS
SLOT_CODES = SLOT_CHANGED + 1
SLOT_GRPC = SLOT_CODES + len(CODES)
SLOT_BYTES_IN = SLOT_GRPC + GRPC_CODES
SLOT_BYTES_OUT = SLOT_BYTES_IN + 1
SLOT_IN_FLIGHT = SLOT_BYTES_OUT + 1
SLOT_IN_FLIGHT_NS = SLOT_IN_FLIGHT + 1
SLOT_HISTOGRAMS = SLOT_IN_FLIGHT_NS + 1
HISTOGRAM_WORDS = BUCKETS + 1  # the counts, then the sum in nanoseconds
SLOT_WORDS = SLOT_HISTOGRAMS + len(HISTOGRAMS) * HISTOGRAM_WORDS
SLOT_FIRST_BYTE, SLOT_DURATION, SLOT_FIRST_EVENT, SLOT_EVENT_GAP = (
    SLOT_HISTOGRAMS + index * HISTOGRAM_WORDS for index in range(len(HISTOGRAMS))
)

WORDS = AT_SLOTS + SLOTS * SLOT_WORDS
SIZE = WORDS * 8


def _runs(start: int, end: int, skipped: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the runs of words from `start` to `end` without the words `skipped`."""
    edges = (start - 1, *sorted(skipped), end)
    return tuple((before + 1, after) for before, after in pairwise(edges) if before + 1 < after)


def connection(name: str) -> int:
    """Return the word of a connection counter."""
    return AT_CONNECTIONS + CONNECTIONS.index(name)


def downgrade(reason: str) -> int:
    """Return the word that counts connections downgraded to opaque for `reason`."""
    return AT_DOWNGRADES + DOWNGRADES.index(reason)


def outcome_word(name: str, reason: str = "") -> int:
    """Return the word that counts exchanges with this outcome and reason."""
    return AT_OUTCOMES + OUTCOMES.index((name, reason))


# the runs of words that AT_SEAL covers: all that changes in groups of stores only, so no gauge
SEALED_RUNS = (
    *_runs(AT_MAGIC, HEADER, (AT_LOCK, *range(AT_HEARTBEAT, HEADER))),
    *_runs(AT_CONNECTIONS, AT_SLOTS, map(connection, CONNECTION_GAUGES)),
    *_runs(AT_SLOTS, WORDS, (AT_SLOTS + slot * SLOT_WORDS + SLOT_IN_FLIGHT for slot in range(SLOTS))),
)
