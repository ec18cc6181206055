"""The response of Prometheus to an instant query, as one number or as the reason why there is none.

A signal of scaling is one number. An empty result, several series and NaN mean that the query does not measure what its
author thinks, or that the target has vanished. A guess such as 0 or a sum would change replicas by mistake.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

import msgspec

from ....errors import PilotfishError, quote_value

CLOCK_SECONDS = 60.0  # the time of an evaluation may differ by this much from the controller's clock
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?|[+-]?Inf|NaN")
_HARMLESS = "PromQL info:"  # such as a metric whose name does not look like a counter's


class QueryError(PilotfishError):
    """A query without a usable number: what failed, why, and what to do."""


def parse_result(body: bytes, now: float) -> float:
    """Return the number in `body`, the response to an instant query at `now` in epoch seconds.

    Raises QueryError unless it is a scalar or exactly one series with a finite value of at least 0, evaluated at about
    `now`. A response with warnings, such as one that lacks a part of the data, has no number either.
    """
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise QueryError("the response is not JSON; check that --prometheus-url leads to a Prometheus") from error
    if not isinstance(found, dict) or found.get("status") != "success":
        raise QueryError(failure(found))
    sample = _sample(found.get("data"))
    warnings = found.get("warnings")
    if warnings := [text for text in warnings if not _is_harmless(text)] if isinstance(warnings, list) else []:
        raise QueryError(f"the result may be incomplete: {quote_value(warnings[0], 200)}; correct what it names")
    return _value(sample, now)


def failure(found: object) -> str:
    """Return what went wrong by the error response `found` of Prometheus, and what to do."""
    detail = found if isinstance(found, dict) else {}
    kind, text = detail.get("errorType"), detail.get("error")
    if not isinstance(text, str) or not isinstance(kind, str):
        return "the response is not one of the query API; check that --prometheus-url leads to a Prometheus"
    remedy = (
        "correct the query" if kind in ("bad_data", "execution") else "ask its administrator, or simplify the query"
    )
    return f"Prometheus refuses the query: {quote_value(text, 200)}; {remedy}"


def _sample(data: object) -> object:
    """Return the pair of time and value in the field `data`."""
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, Mapping) else (None, None)
    if kind == "scalar":
        return result
    if kind != "vector" or not isinstance(result, list):
        raise QueryError(f"the result is a {quote_value(kind)}; write a query of an instant vector or a scalar")
    if not result:
        raise QueryError("the query has no result; check its labels, and that the target is scraped")
    if len(result) > 1:
        raise QueryError("the query has several series; aggregate them, such as by sum(...)")
    if not isinstance(result[0], dict) or "value" not in result[0]:
        raise QueryError("the result is a native histogram; write a query of a number, such as by histogram_quantile")
    return result[0]["value"]


def _value(sample: object, now: float) -> float:
    pair: Any = sample if isinstance(sample, list) and len(sample) == 2 else [None, None]
    at, text = pair
    if type(at) not in (int, float) or not isinstance(text, str) or not _NUMBER.fullmatch(text):
        raise QueryError("the result has no number; check that --prometheus-url leads to a Prometheus")
    if abs(at - now) > CLOCK_SECONDS:
        raise QueryError(
            f"the result is {now - at:.0f} s old; synchronise the clocks, and disable caches in front of Prometheus"
        )
    value = float(text)
    if not isfinite(value) or value < 0:
        raise QueryError(f"the result is {text}; write a query whose result is 0 or more, also without traffic")
    return value


def _is_harmless(text: object) -> bool:
    return isinstance(text, str) and text.startswith(_HARMLESS)
