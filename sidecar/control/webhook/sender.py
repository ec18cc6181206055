"""The executor of webhooks: one attempt to deliver one event by HTTP POST.

The request is signed, verifies the receiver's certificate and follows no redirect. An attempt ends within the timeout
and reads at most `MAX_RESPONSE_BYTES`, whatever the receiver sends. A 2xx status settles the event before anything else
of the response is read.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import aiohttp
import msgspec

from ...system.workers import started_pool
from ..executor import Outcome
from ..intent import Intent
from ..reasons import Reason
from .addresses import AddressCheck, AddressRules
from .bounded import BoundedSocket, TooMuchReceivedError
from .cloudevent import CONTENT_TYPE, header_value
from .delivery import (
    DeliveryResult,
    certificate_problem,
    connection_problem,
    outcome_of,
    parse_retry_after,
    redirect_problem,
)
from .files import WebhookFileError, read_secret, read_url, usable_url
from .resolver import OwnResolver
from .signature import SIGNATURE_HEADER, TIMESTAMP_HEADER, sign

_LOG = logging.getLogger("pilotfish.control")

MAX_BODY_BYTES = 64 * 1024  # of a response that are read, so that a usual response ends with an orderly close
MAX_RESPONSE_BYTES = 128 * 1024  # that one attempt reads from the network, with TLS, interim responses and heads
CLOSE_TIMEOUT = 1.0  # seconds


SecretReader = Callable[[], Awaitable[bytes]]


class Message(NamedTuple):
    """What is sent: the body, its media type, further headers, and the id to sign if it is one of these."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = {}
    signed_id: str = ""


def structured(event: str) -> Message:
    """Return the message of a CloudEvent in structured mode."""
    return Message(event.encode(), CONTENT_TYPE)


def binary(event: str) -> Message:
    """Return the message of a CloudEvent in binary mode: its attributes are headers, and its data is the body."""
    attributes = msgspec.json.decode(event, type=dict[str, msgspec.Raw])
    body, content_type = bytes(attributes.pop("data")), msgspec.json.decode(attributes.pop("datacontenttype"), type=str)
    headers = {f"ce-{name}": header_value(msgspec.json.decode(raw)) for name, raw in attributes.items()}
    return Message(body, content_type, headers, headers["ce-id"])


@dataclass(frozen=True, slots=True)
class WebhookTarget:
    """The receiver.

    Attributes:
        url: its URL, the file with its URL, or a function that reads it and raises WebhookFileError.
        secret: the file with the signing secret, or a function that reads it and raises WebhookFileError; None:
            unsigned.
        timeout: seconds for one whole attempt.
        path: of the webhook in the document, for the log.
        form: the message for an event.
        rules: the addresses that may be connected to; None: all.
    """

    url: str | Path | SecretReader
    secret: Path | SecretReader | None
    timeout: float
    path: str = "spec.retrain.webhook"
    form: Callable[[str], Message] = structured
    rules: AddressRules | None = None


class WebhookSender:
    """Executor that sends events to one target. `clock` returns epoch seconds.

    Each attempt reads the files of the target and the certificates of trusted authorities again.
    """

    def __init__(self, target: WebhookTarget, *, agent: str, clock: Callable[[], float]) -> None:
        self._target = target
        self._agent = agent
        self._clock = clock
        self._resolver = OwnResolver(started_pool(1))
        self._logged = ""

    async def apply(self, intent: Intent, now: float) -> Outcome:
        """Send the event `intent.desired` once, with the intent's id as Idempotency-Key."""
        begun = self._clock()
        answer = await self.send(intent.id, str(intent.desired))
        self._log(answer.problem)
        answered = now + self._clock() - begun
        return outcome_of(answer, intent.why, answered)

    async def send(self, id_: str, event: str) -> DeliveryResult:
        """Return the receiver's response to `event`; a failure without a response gives a result with `error`."""
        message = self._target.form(event)
        try:
            url = await self._url()
        except WebhookFileError as error:
            return DeliveryResult(None, Reason.URL, problem=str(error))
        try:
            headers = await self._headers(id_, message)
        except WebhookFileError as error:
            return DeliveryResult(None, Reason.SECRET, problem=str(error))
        try:
            return await self._post(url, message.body, headers)
        except TimeoutError:
            return DeliveryResult(None, Reason.TIMEOUT)
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return DeliveryResult(None, Reason.TLS, problem=certificate_problem(error))
        except (aiohttp.InvalidURL, UnicodeError):
            return DeliveryResult(None, Reason.URL, problem="no request can be sent to this url; correct it")
        except aiohttp.ClientConnectorError as error:
            return DeliveryResult(None, Reason.CONNECT, problem=connection_problem(error.os_error))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return DeliveryResult(None, Reason.DISCONNECTED, problem=_problem_of(error))

    async def _url(self) -> str:
        url = self._target.url
        if isinstance(url, str):
            return url
        return read_url(url) if isinstance(url, Path) else usable_url(await url(), "the Secret with the URL")

    async def _post(self, url: str, body: bytes, headers: dict[str, str]) -> DeliveryResult:
        """Send one request; an address that was refused is the result, whatever else happened to the connection."""
        rules = self._target.rules
        if rules is not None and (problem := rules.host_problem(url)):
            return DeliveryResult(None, Reason.URL_REFUSED, problem=f"the URL is refused: {problem}")
        check = AddressCheck(rules)
        try:
            return await self._request(url, body, headers, check)
        except (aiohttp.ClientError, OSError):
            if not check.problem:
                raise
            return DeliveryResult(None, Reason.URL_REFUSED, problem=f"the URL is refused: {check.problem}")

    async def _request(self, url: str, body: bytes, headers: dict[str, str], check: AddressCheck) -> DeliveryResult:
        secure = url.lower().startswith("https:")
        trusted = await asyncio.to_thread(ssl.create_default_context) if secure else True
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                force_close=True,
                limit=1,
                ssl=trusted,
                resolver=self._resolver,
                socket_factory=lambda address: BoundedSocket(*address[:3], most=MAX_RESPONSE_BYTES, check=check),
            ),
            timeout=aiohttp.ClientTimeout(total=self._target.timeout),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            max_line_size=MAX_RESPONSE_BYTES,  # a long header of a 2xx must not make the event be sent again
            max_field_size=MAX_RESPONSE_BYTES,
        )
        try:
            response = await session.post(url, data=body, headers=headers, allow_redirects=False)
            try:
                return await self._answer(response)
            finally:
                response.close()
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT):
                    await session.close()

    async def _answer(self, response: aiohttp.ClientResponse) -> DeliveryResult:
        answer = DeliveryResult(response.status, problem=redirect_problem(response.status))
        if not answer.accepted:
            return replace(answer, retry_after=parse_retry_after(response.headers.get("Retry-After"), self._clock()))
        with suppress(Exception):  # the receiver has accepted the event, whatever it sends after that
            await response.content.read(MAX_BODY_BYTES)
        return answer

    def _log(self, problem: str) -> None:
        """Log a problem of the receiver that a person must correct, once until it changes."""
        if problem and problem != self._logged:
            _LOG.warning("%s: %s", self._target.path, problem)
        self._logged = problem

    async def _headers(self, id_: str, message: Message) -> dict[str, str]:
        headers = {"Content-Type": message.content_type, "Idempotency-Key": id_, "User-Agent": self._agent}
        headers |= message.headers
        secret = self._target.secret
        if secret is not None:
            key = read_secret(secret) if isinstance(secret, Path) else await secret()
            timestamp = str(int(self._clock()))
            headers[TIMESTAMP_HEADER] = timestamp
            headers[SIGNATURE_HEADER] = sign(key, timestamp, message.body, message.signed_id)
        return headers


def _problem_of(error: Exception) -> str:
    """Return what a person must correct, or an empty string. Other messages may hold bytes of the response."""
    cause = error if isinstance(error, TooMuchReceivedError) else error.__cause__
    return str(cause) if isinstance(cause, TooMuchReceivedError) else ""
