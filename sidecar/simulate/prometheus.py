"""Load from Prometheus: a range query over HTTP, or a saved response of `/api/v1/query_range`."""

from __future__ import annotations

import math

from ..errors import quote_value
from ..prometheus import MAX_POINTS, query_range, read_matrix
from .csvfile import MAX_RATE
from .errors import TraceError
from .trace import LoadSample, LoadTrace, from_samples

STEPS = (15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400)  # seconds


def read_range(raw: bytes, where: str) -> LoadTrace:
    """Return the trace in a response of `/api/v1/query_range` with one series: requests per second.

    A value that is not a finite number is missing. Raise TraceError or PrometheusError, with `where` as the source.
    """
    found = read_matrix(raw, where)
    if len(found) != 1:
        raise TraceError(
            f"{where}: {len(found)} series instead of 1; aggregate the query, such as "
            "sum(rate(pilotfish_requests_total[5m])), and check that it has data"
        )
    return from_samples(
        [_sample(at, value, f"{where}: sample {place}") for place, (at, value) in enumerate(found[0].samples)], where
    )


def fetch_range(url: str, query: str, start: float, end: float, token: str = "") -> bytes:
    """Return the response of the Prometheus at `url` to a query from `start` to `end` (Unix s); raise PrometheusError.

    The step is the smallest usual one for which the result has at most 11,000 samples. `token` is a bearer token.
    """
    step = next((step for step in STEPS if (end - start) / step < MAX_POINTS), STEPS[-1])
    return query_range(url, query, start, end, step, token, remedy="ask for a shorter time")


def _sample(at: float, value: float, where: str) -> LoadSample:
    if not math.isnan(value) and not 0 <= value <= MAX_RATE:
        raise TraceError(f"{where}: the value {quote_value(f'{value:g}')} is not a request rate; correct the query")
    return LoadSample(at, value, math.nan, math.nan, where)
