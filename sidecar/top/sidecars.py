"""Polls sidecars at their admin addresses: /metrics and /report."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from http.client import UNAUTHORIZED
from pathlib import Path

import msgspec

from ..errors import PilotfishError, UsageError, error_location, quote_value
from ..system.addresses import Address, parse_server_address
from ..system.httpget import HttpGetError, HttpStatusError, get
from ..system.tokens import read_header_token
from .exposition import parse, sidecar_metrics
from .history import Answer, Poll, SourceName

MAX_BYTES = 64 * 1024 * 1024  # of one response
TIMEOUT = 5.0  # seconds for one response
HTTP = "http://"


class ReportPart(msgspec.Struct, frozen=True):
    """The part of /report that the table shows; the rest is skipped, so that other releases can be read."""

    state: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


class SidecarSource:
    """The sidecars at `addresses`. Raises UsageError for a token file that cannot be used.

    The token is read again for each poll, because the file may be replaced. Without it, reports are missing.
    """

    def __init__(self, addresses: Sequence[Address], token_file: Path | None) -> None:
        self.title = "pilotfish top: " + ", ".join(map(str, addresses))
        self._addresses = addresses
        self._token_file = token_file
        self._token()

    async def poll(self) -> Poll:
        """Ask all sidecars at once."""
        token, problem = "", ""
        try:
            token = self._token()
        except UsageError as error:
            problem = str(error)
        answers = await asyncio.gather(
            *(_in_thread(partial(_ask, address, token, problem)) for address in self._addresses)
        )
        names = [SourceName("", str(address)) for address in self._addresses]
        return Poll(time.monotonic(), dict(zip(names, answers, strict=True)))

    def _token(self) -> str:
        return read_header_token(self._token_file) if self._token_file is not None else ""

    async def close(self) -> None:
        """Close nothing: each request has its own connection."""


def parse_url(text: str) -> Address:
    """Return the address in `HOST:PORT` or `http://HOST:PORT`; raise UsageError."""
    if text.lower().startswith("https://"):
        raise UsageError(f"{quote_value(text)}: the admin address has no TLS; give http://HOST:PORT")
    plain = text[len(HTTP) :] if text.lower().startswith(HTTP) else text
    return parse_server_address(plain.removesuffix("/"), what="the address of a sidecar")


async def _in_thread(ask: Callable[[], Answer]) -> Answer:
    """Return what `ask` returns in a thread of its own, which a program that ends does not wait for."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Answer] = loop.create_future()

    def deliver(found: Answer) -> None:
        if not answer.done():
            answer.set_result(found)

    def work() -> None:
        try:
            found = ask()
        except Exception as error:  # without an answer, the table would wait for ever
            found = Answer(None, f"asking failed: {type(error).__name__} at {error_location(error)}; please report it")
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(deliver, found)

    threading.Thread(target=work, daemon=True).start()
    return await answer


def _ask(address: Address, token: str, problem: str) -> Answer:
    """Return what the sidecar answers; metrics need no token, and the report may. `problem` is that of the token."""
    try:
        text = get(address, "/metrics", {"Accept": "text/plain"}, most=MAX_BYTES, seconds=TIMEOUT).decode()
        metrics = sidecar_metrics(parse(text))
    except UnicodeDecodeError:
        return Answer(None, f"{address}/metrics: the response is not text; give the --admin address of a sidecar")
    except PilotfishError as error:
        return Answer(None, f"{address}/metrics: {error}")
    state, found = _report(address, token)
    return Answer(metrics, problem or found, state)


def _report(address: Address, token: str) -> tuple[str, str]:
    """Return the state of the analyzer and what is wrong with it."""
    headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    try:
        found = msgspec.json.decode(get(address, "/report", headers, most=MAX_BYTES, seconds=TIMEOUT), type=ReportPart)
    except HttpStatusError as error:
        if error.status == UNAUTHORIZED:
            return "", f"{address}/report: the sidecar requires a token; give --token-file"
        return "", f"{address}/report: {error}"
    except HttpGetError as error:
        return "", f"{address}/report: {error}"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "", f"{address}/report: is not a report; check what answers there"
    return found.state, found.reason or next(iter(found.warnings), "")
