"""What an answer to a webhook means for its entry: delivered, tried again later, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random

from .ledger import DEAD, DELIVERED, PENDING, Change, Entry

FIRST, FACTOR, LONGEST = 1.0, 2.0, 600.0  # seconds: bound of the first wait, its growth, its ceiling
LONGEST_ASKED = 3600.0  # seconds; a receiver may ask for no longer wait than this
GIVE_UP = 86400.0  # seconds after the decision
LEAST_ATTEMPTS = 10  # so that a machine which slept for a day still tries
GONE = 410  # the receiver says that it will never want it


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt: a status, or no status and the reason; `retry_after` in seconds where it was given."""

    status: int | None
    error: str = ""
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Tell whether the receiver has it: only a 2xx says so."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """Return the failure in one word, of a bounded set, for metrics."""
        return self.error or f"http_{self.status}"


def settle(entry: Entry, answer: Answer, now: float, random: Random) -> Change:
    """Return what `answer` makes of the pending `entry`."""
    attempts = entry.attempts + 1
    if answer.taken:
        return Change(id=entry.id, at=now, state=DELIVERED, reason=entry.cause, attempts=attempts)
    if answer.status == GONE or (attempts >= LEAST_ATTEMPTS and now - entry.decided_at >= GIVE_UP):
        return Change(id=entry.id, at=now, state=DEAD, reason=answer.reason, attempts=attempts, error=answer.reason)
    wait = max(backoff(attempts, random), min(answer.retry_after or 0.0, LONGEST_ASKED))
    return Change(
        id=entry.id,
        at=now,
        state=PENDING,
        reason=entry.reason,
        attempts=attempts,
        next_at=now + wait,
        error=answer.reason,
    )


def backoff(attempts: int, random: Random) -> float:
    """Return the seconds to wait after the given number of failures: full jitter over an exponential bound.

    Source: M. Brooker, "Exponential Backoff And Jitter", 2015: the least work and little more time than any other form.
    """
    return random.uniform(0, min(LONGEST, FIRST * FACTOR ** min(attempts - 1, 32)))


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (a number or an HTTP date); None for none or nonsense."""
    if not value:
        return None
    text = value.strip()[:64]
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
