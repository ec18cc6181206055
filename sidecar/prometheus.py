"""Queries of a Prometheus over HTTP, for commands: one request, and the series in its response.

No redirect is followed, since it would take the token to another address.
"""

from __future__ import annotations

import http.client
import math
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import msgspec

from .errors import PilotfishError, quote_value, redact_urls

RANGE_PATH = "/api/v1/query_range"
TIMEOUT = 120.0  # seconds, the limit of a query in Prometheus by default
MAX_BYTES = 256 * 2**20  # of a response
MAX_REASON = 64 * 1024  # bytes of a response with an error
MAX_POINTS = 11_000  # samples of a series that Prometheus returns at most
LATEST = 32_503_680_000.0  # the year 3000; milliseconds are larger
SAVE = f"save the response of {RANGE_PATH}"


class PrometheusError(PilotfishError):
    """A query that failed, or a response that cannot be read; the message has the reason and the remedy."""


@dataclass(frozen=True, slots=True)
class RangeSeries:
    """One series of a range query: its labels, and its samples as Unix seconds and value.

    A value that is not a finite number is NaN. The text of a value that is no number raises PrometheusError.
    """

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]


class _Answer(msgspec.Struct):
    status: str = ""
    data: Any = None
    error: str = ""


class _Series(msgspec.Struct):
    metric: dict[str, str] = msgspec.field(default_factory=dict)
    values: list[tuple[float, str]] = msgspec.field(default_factory=list)


class _Matrix(msgspec.Struct):
    resultType: str = ""  # noqa: N815 # the name in the API
    result: list[_Series] = msgspec.field(default_factory=list)


def query_range(url: str, query: str, start: float, end: float, step: float, token: str = "", *, remedy: str) -> bytes:
    """Return the response of the Prometheus at `url` to a range query from `start` to `end` (Unix s).

    `token` is a bearer token. `remedy` says how to ask for less. Raises PrometheusError.
    """
    _check_address(url)
    form = urlencode({"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"})
    request = urllib.request.Request(f"{url.rstrip('/')}{RANGE_PATH}", data=form.encode(), method="POST")  # noqa: S310 # checked
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    where = f"{redact_urls(url)}{RANGE_PATH}"
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as response:
            raw: bytes = response.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise PrometheusError(f"{where}: status {error.code}; {_reason(error)}") from error
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        reason = getattr(error, "reason", error)
        raise PrometheusError(f"{where}: no answer ({quote_value(str(reason), 200)}); check the address") from error
    if len(raw) > MAX_BYTES:
        raise PrometheusError(f"{where}: more than {MAX_BYTES:,} bytes; {remedy}")
    return raw


def read_matrix(raw: bytes, where: str) -> list[RangeSeries]:
    """Return the series in a response of `/api/v1/query_range`. Raise PrometheusError, with `where` as the source."""
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse(where, error)
    if answer.status != "success":
        raise PrometheusError(
            f"{where}: status {quote_value(answer.status)}, {quote_value(answer.error, 200)}; correct the query"
        )
    kind = answer.data.get("resultType") if isinstance(answer.data, dict) else ""
    if kind != "matrix" and isinstance(kind, str) and isinstance(answer.data, dict):
        raise PrometheusError(f"{where}: the result is a {quote_value(kind)}, not a matrix; {SAVE}")
    try:
        matrix = msgspec.convert(answer.data, _Matrix)
    except (msgspec.MsgspecError, RecursionError) as error:
        _refuse(where, error)
    return [
        RangeSeries(series.metric, tuple(_sample(*one, f"{where}: sample {n}") for n, one in enumerate(series.values)))
        for series in matrix.result
    ]


def _sample(at: float, text: str, where: str) -> tuple[float, float]:
    if not 0 <= at <= LATEST:
        raise PrometheusError(f"{where}: the time {at!r} is not in Unix seconds; {SAVE}")
    try:
        value = float(text)
    except ValueError:
        raise PrometheusError(f"{where}: the value {quote_value(text)} is not a number; {SAVE}") from None
    return at, value if math.isfinite(value) else math.nan


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise PrometheusError(
            f"--prometheus {quote_value(url)}: give an address such as http://prometheus.example:9090"
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would take the token to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        told = msgspec.json.decode(error.read(MAX_REASON), type=_Answer).error
    except (msgspec.MsgspecError, OSError, http.client.HTTPException, UnicodeDecodeError, RecursionError):
        told = ""
    remedies: Mapping[int, str] = {401: "give --token-file", 403: "the token lacks the right to query"}
    return remedies.get(error.code, f"{quote_value(told, 200)}; correct the query" if told else "check the address")


def _refuse(where: str, error: Exception) -> NoReturn:
    raise PrometheusError(f"{where}: not a response of Prometheus ({quote_value(str(error), 200)}); {SAVE}") from error
