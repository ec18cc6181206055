"""Load from Prometheus: a range query over HTTP, or a saved response of `/api/v1/query_range`."""

from __future__ import annotations

import http.client
import math
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import msgspec

from ..errors import quote_value, redact_urls
from .errors import TraceError
from .trace import LATEST, MAX_BYTES, MAX_RATE, LoadSample, LoadTrace, from_samples

PATH = "/api/v1/query_range"
TIMEOUT = 120.0  # seconds, the limit of a query in Prometheus by default
MAX_POINTS = 11_000  # samples of a series that Prometheus returns at most
STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400)  # seconds
RUN_RANGE = f"save the response of {PATH}"


class _Answer(msgspec.Struct):
    status: str = ""
    data: Any = None
    error: str = ""


class _Series(msgspec.Struct):
    metric: dict[str, str] = msgspec.field(default_factory=dict)
    values: list[tuple[float, str]] = msgspec.field(default_factory=list)


class _Matrix(msgspec.Struct):
    resultType: str = ""  # noqa: N815 # the name in the API
    result: list[Any] = msgspec.field(default_factory=list)


def read_range(raw: bytes, where: str) -> LoadTrace:
    """Return the trace in a response of `/api/v1/query_range` with one series: requests per second.

    A value that is not a finite number is missing. Raise TraceError, with `where` as the source.
    """
    answer = _decoded(raw, _Answer, where)
    if answer.status != "success":
        raise TraceError(
            f"{where}: status {quote_value(answer.status)}, {quote_value(answer.error, 200)}; correct the query"
        )
    matrix = _converted(answer.data, _Matrix, where)
    if matrix.resultType != "matrix":
        raise TraceError(f"{where}: the result is a {quote_value(matrix.resultType)}, not a matrix; {RUN_RANGE}")
    if len(matrix.result) != 1:
        raise TraceError(
            f"{where}: {len(matrix.result)} series instead of 1; aggregate the query, such as "
            "sum(rate(pilotfish_requests_total[5m])), and check that it has data"
        )
    series = _converted(matrix.result[0], _Series, where)
    return from_samples(
        [_sample(at, text, f"{where}: sample {place}") for place, (at, text) in enumerate(series.values)], where
    )


def fetch_range(url: str, query: str, start: float, end: float, token: str = "") -> bytes:
    """Return the response of the Prometheus at `url` to a range query from `start` to `end` (Unix s); raise TraceError.

    The step is the smallest usual one for which the result has at most 11,000 samples. `token` is a bearer token.
    """
    _check_address(url)
    step = next((step for step in STEPS if (end - start) / step < MAX_POINTS), STEPS[-1])
    asked = urlencode({"query": query, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": step})
    request = urllib.request.Request(f"{url.rstrip('/')}{PATH}", data=asked.encode(), method="POST")  # noqa: S310 # checked
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    where = f"{redact_urls(url)}{PATH}"
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as response:
            raw: bytes = response.read(MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise TraceError(f"{where}: status {error.code}; {_reason(error)}") from error
    except (OSError, http.client.HTTPException, ssl.SSLError) as error:
        reason = getattr(error, "reason", error)
        raise TraceError(f"{where}: no answer ({quote_value(str(reason), 200)}); check the address") from error
    if len(raw) > MAX_BYTES:
        raise TraceError(f"{where}: more than {MAX_BYTES:,} bytes; ask for a shorter time")
    return raw


def _check_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.username or parts.query or parts.fragment:
        raise TraceError(f"--prometheus {quote_value(url)}: give an address such as http://prometheus.example:9090")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Refuses redirects, which would take the token to another address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        told = msgspec.json.decode(error.read(MAX_BYTES), type=_Answer).error
    except (msgspec.MsgspecError, OSError, UnicodeDecodeError, RecursionError):
        told = ""
    remedies: Mapping[int, str] = {401: "give --token-file", 403: "the token lacks the right to query"}
    return remedies.get(error.code, f"{quote_value(told, 200)}; correct --query" if told else "check the address")


def _sample(at: float, text: str, where: str) -> LoadSample:
    if not 0 <= at <= LATEST:
        raise TraceError(f"{where}: the time {at!r} is not in Unix seconds; {RUN_RANGE}")
    try:
        value = float(text)
    except ValueError:
        raise TraceError(f"{where}: the value {quote_value(text)} is not a number; {RUN_RANGE}") from None
    if not math.isfinite(value):
        value = math.nan
    elif not 0 <= value <= MAX_RATE:
        raise TraceError(f"{where}: the value {quote_value(text)} is not a request rate; correct the query")
    return LoadSample(at, value, math.nan, math.nan, where)


def _decoded(raw: bytes, kind: type[_Answer], where: str) -> _Answer:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        _refuse(where, error)


def _converted(value: Any, kind: type[Any], where: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, RecursionError) as error:
        _refuse(where, error)


def _refuse(where: str, error: Exception) -> NoReturn:
    raise TraceError(f"{where}: not a response of Prometheus ({quote_value(str(error), 200)}); {RUN_RANGE}") from error
