"""What a receiver's answer means: done, tried again later, or given up. HTTP status handling stands only here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..executor import Done, Failed, Outcome, RetryAt

GONE = 410  # the receiver says that it will never want it


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one attempt: a status, or no status and the reason; `retry_after` in seconds where it was given."""

    status: int | None
    error: str = ""
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        """Return whether the receiver has it: only a 2xx says so."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """Return the failure in one word, of a bounded set, for metrics."""
        return self.error or f"http_{self.status}"


def outcome_of(answer: DeliveryResult, why: str, now: float) -> Outcome:
    """Return the outcome of an attempt that got `answer` at `now`; `why` is the intent's reason."""
    if answer.taken:
        return Done(why)
    if answer.status == GONE:
        return Failed(answer.reason)
    return RetryAt(answer.reason, now + (answer.retry_after or 0.0))


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
