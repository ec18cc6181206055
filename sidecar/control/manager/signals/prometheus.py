"""Signals that are queries of the administrator's Prometheus: one instant query per signal and interval.

A query comes from the author of a document, the URL from the administrator. The namespace of the monitor is a parameter
of each request, so that a proxy such as prom-label-proxy can confine a query to it; Prometheus itself ignores it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
import msgspec

from ....errors import PilotfishError
from ....settings.scaling import PrometheusSignal
from ...scale.facts import ExternalFact
from ..scaling_sources import SOURCE_SECONDS, SignalReading, SignalRequest
from .endpoint import PrometheusEndpoint
from .query_result import QueryError, failure, parse_result

QUERY_SECONDS = 4.0  # for one query, with the connection
MAX_ANSWER_BYTES = 64 * 1024
MAX_QUERIES = 8  # at a time, of all monitors
MAX_SERIES = 2  # of a result: enough to refuse it
DISABLED = "the controller has no Prometheus; ask its administrator to set --prometheus-url, or remove the signal"
_REMEDIES = {
    401: "check --prometheus-token",
    403: "let the token of the controller query the namespace of the monitor",
    404: "check the path of --prometheus-url",
}


class PrometheusSource:
    """Reads the signals of type `prometheus`. Without an `endpoint`, each of them is missing, with the remedy."""

    def __init__(self, endpoint: PrometheusEndpoint | None) -> None:
        self._endpoint = endpoint
        self._turns = asyncio.Semaphore(MAX_QUERIES)

    async def read(self, wanted: SignalRequest) -> SignalReading:
        """Return the results of all queries of the document, within SOURCE_SECONDS."""
        scaling = wanted.document.spec.scaling
        signals = [signal for signal in scaling.signals if isinstance(signal, PrometheusSignal)] if scaling else []
        if not signals:
            return SignalReading()
        if self._endpoint is None:
            return SignalReading(problems={signal.name: DISABLED for signal in signals})
        results = await asyncio.gather(*(self._read_one(self._endpoint, signal, wanted) for signal in signals))
        named = list(zip((signal.name for signal in signals), results, strict=True))
        return SignalReading(
            totals=tuple(ExternalFact(name, value, wanted.now) for name, value in named if isinstance(value, float)),
            problems={name: problem for name, problem in named if isinstance(problem, str)},
        )

    async def _read_one(
        self, endpoint: PrometheusEndpoint, signal: PrometheusSignal, wanted: SignalRequest
    ) -> float | str:
        """Return the number, or why there is none."""
        try:
            async with asyncio.timeout(SOURCE_SECONDS), self._turns, asyncio.timeout(QUERY_SECONDS):
                status, body = await query(endpoint, signal.query, wanted.key.namespace)
            if status != 200 and status not in (400, 422):
                return f"Prometheus answered with status {status}; {_REMEDIES.get(status, 'check its log')}"
            return parse_result(body, wanted.now) if status == 200 else failure(_decoded(body))
        except TimeoutError:
            return f"Prometheus did not answer within {QUERY_SECONDS:g} s; simplify the query, or check its load"
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return f"TLS with Prometheus failed: {type(error).__name__}; check --prometheus-ca and its certificate"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return f"no connection to Prometheus: {type(error).__name__}; check --prometheus-url and the network"
        except PilotfishError as error:
            return str(error)


async def query(endpoint: PrometheusEndpoint, text: str, namespace: str) -> tuple[int, bytes]:
    """Return status and body of the response to the instant query `text`.

    Raises QueryError for a body of more than MAX_ANSWER_BYTES, UsageError for files that cannot be used, and the errors
    of aiohttp. A redirect is not followed.
    """
    headers = endpoint.headers()
    trusted = await asyncio.to_thread(endpoint.trusted) if endpoint.url.startswith("https:") else True
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True, limit=1, ssl=trusted),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "pilotfish", **headers},
    )
    form = {"query": text, "timeout": f"{QUERY_SECONDS:g}s", "limit": str(MAX_SERIES)}
    async with (
        session,
        session.post(endpoint.query_url, params={"namespace": namespace}, data=form, allow_redirects=False) as response,
    ):
        body = bytearray()
        async for piece in response.content.iter_chunked(16 * 1024):
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise QueryError(f"the response has more than {MAX_ANSWER_BYTES} bytes; aggregate it to one number")
        return response.status, bytes(body)


def _decoded(body: bytes) -> Mapping[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
