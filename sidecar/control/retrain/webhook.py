"""The executor of retraining: one attempt to deliver one event by HTTP POST.

The request is signed, has a timeout, verifies the receiver's certificate and follows no redirect.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp

from ..executor import Outcome
from ..intent import Intent
from ..reasons import Reason
from .delivery import DeliveryResult, outcome_of, parse_retry_after
from .event import CONTENT_TYPE
from .secret import SecretError, read_secret
from .signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

MAX_RESPONSE_BYTES = 64 * 1024  # of a response that are read, so that a usual response ends with an orderly close


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The receiver: its URL, the file with the signing secret (None: unsigned), and seconds for one whole attempt."""

    url: str
    secret_file: Path | None
    timeout: float


class WebhookSender:
    """Executor that sends events to one target. `clock` returns epoch seconds. Each attempt rereads the secret file."""

    def __init__(self, target: WebhookTarget, *, agent: str, clock: Callable[[], float]) -> None:
        self._target = target
        self._agent = agent
        self._clock = clock

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Send the event `intent.desired` once, with the intent's id as Idempotency-Key."""
        begun = self._clock()
        answer = await self.send(intent.id, str(intent.desired))
        answered = now + self._clock() - begun
        return outcome_of(answer, intent.why, answered)

    async def send(self, id_: str, event: str) -> DeliveryResult:
        """Return the receiver's response to `event`; a failure without a response gives a result with `error`."""
        body = event.encode()
        try:
            headers = self._headers(id_, body)
        except SecretError:
            return DeliveryResult(None, Reason.SECRET)
        try:
            return await self._post(body, headers)
        except TimeoutError:
            return DeliveryResult(None, Reason.TIMEOUT)
        except (aiohttp.ClientSSLError, ssl.SSLError):
            return DeliveryResult(None, Reason.TLS)
        except aiohttp.ClientConnectorError:
            return DeliveryResult(None, Reason.CONNECT)
        except (aiohttp.ClientError, OSError, ValueError):
            return DeliveryResult(None, Reason.DISCONNECTED)

    async def _post(self, body: bytes, headers: dict[str, str]) -> DeliveryResult:
        timeout = aiohttp.ClientTimeout(total=self._target.timeout)
        connector = aiohttp.TCPConnector(force_close=True, limit=1)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session,
            session.post(self._target.url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            answer = DeliveryResult(response.status)
            if not answer.accepted:
                return replace(
                    answer, retry_after=parse_retry_after(response.headers.get("Retry-After"), self._clock())
                )
            # a 2xx status is enough: the receiver has accepted the event, whatever it sends after that
            with suppress(aiohttp.ClientError, OSError, ValueError):
                await response.content.read(MAX_RESPONSE_BYTES)
            return answer

    def _headers(self, id_: str, body: bytes) -> dict[str, str]:
        headers = {"Content-Type": CONTENT_TYPE, "Idempotency-Key": id_, "User-Agent": self._agent}
        if self._target.secret_file is not None:
            timestamp = str(int(self._clock()))
            headers[TIMESTAMP_HEADER] = timestamp
            headers[SIGNATURE_HEADER] = sign(read_secret(self._target.secret_file), timestamp, body)
        return headers
