"""Converts a receiver's response to an outcome: done, retry at a time, or permanent failure.

The only module that handles HTTP status codes.
"""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from ..executor import Done, Failed, Outcome, RetryAt

_REMEDIES = {  # by the verify code of OpenSSL
    9: "check the clocks of both machines",
    10: "renew it",
    18: "set SSL_CERT_FILE to a file with this certificate",
    19: "set SSL_CERT_FILE to a file with the certificate of its authority",
    20: "set SSL_CERT_FILE to a file with the certificate of its authority",
    62: "give the host name of the certificate in the url",
    64: "give the host name of the certificate in the url",
}
GONE = 410  # Gone: the receiver refuses this request permanently


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one attempt: an HTTP status, or None and `error`. `retry_after` is in seconds, None if absent.

    `problem` says what a person must correct at the receiver or in the document; empty if there is nothing.
    """

    status: int | None
    error: str = ""
    retry_after: float | None = None
    problem: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the receiver accepted the event, which means a 2xx status."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def reason(self) -> str:
        """The reason of the failure, for metrics; from a bounded set."""
        return self.error or f"http_{self.status}"


def outcome_of(answer: DeliveryResult, why: str, now: float) -> Outcome:
    """Return the outcome of an attempt with `answer` at `now` (epoch seconds); `why` is the reason of the intent."""
    if answer.accepted:
        return Done(why)
    if answer.status == GONE:
        return Failed(answer.reason)
    return RetryAt(answer.reason, now + (answer.retry_after or 0.0), answer.problem)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Return the seconds in a `Retry-After` header, a number or an HTTP date; None if it is absent or invalid."""
    if not value:
        return None
    text = value.strip()[:64]
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        at = parsedate_to_datetime(text)
        return max(0.0, (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # such as a year, day or zone that does not exist
        return None


def certificate_problem(error: Exception) -> str:
    """Return why the TLS handshake failed with `error`, and the remedy."""
    cause = getattr(error, "certificate_error", error)
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return "the TLS handshake with the receiver failed; check that its port speaks TLS"
    remedy = _REMEDIES.get(cause.verify_code, "check it with openssl s_client")
    return f"the certificate of the receiver is not valid: {cause.verify_message.rstrip('.')}; {remedy}"


def connection_problem(error: OSError) -> str:
    """Return why no connection to the receiver could be made, without its address, which may be a secret."""
    if isinstance(error, socket.gaierror):
        return f"the name of the receiver does not resolve: {error.strerror}"
    number = error.errno or 0
    return f"no connection to the receiver: {os.strerror(number)}" if number > 0 else ""


def redirect_problem(status: int) -> str:
    """Return the problem of a redirecting response; empty for any other status."""
    if not 300 <= status < 400:
        return ""
    return f"the receiver redirects with status {status}; redirects are not followed; give the final address as url"
