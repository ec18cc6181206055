"""The response to a request that a server of the cluster refuses."""

from __future__ import annotations

from math import ceil

import msgspec
from aiohttp import web

from ..errors import RefusedError


def refusal(error: RefusedError) -> web.Response:
    """Return the response to a request that is refused."""
    headers: dict[str, str] = {}
    wait = getattr(error, "retry_after", None)
    if wait is not None:
        headers["Retry-After"] = str(max(1, ceil(wait)))
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="pilotfish"'
    body = msgspec.json.encode({"error": str(error)})  # in one line, because a pod shows it in its report
    response = web.Response(
        body=body, status=error.status, headers=headers, content_type="application/json", charset="utf-8"
    )
    if error.status == 503:
        response.force_close()  # the next connection leads to the leader; an open one stays at this replica
    return response
