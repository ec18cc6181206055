"""The HTTP API of the node's Pilotfish: one path with a token, and health and metrics without one."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from ..callers.authentication import Authenticator
from ..callers.errors import RefusedRequestError
from ..callers.rates import RateLimiter
from ..callers.responses import refusal
from ..resources.pod.figures import PATH, encode
from ..serving.responses import json_response
from ..telemetry.exposition import Exposition
from .figures import NodeFigures
from .pod_counters import PodCaller

ANSWER_SECONDS = 2.0  # a pod does not wait longer


@dataclass(frozen=True, kw_only=True)
class NodeViews:
    """The responses. `requests` counts them by status and reason; `problems` are those of the server itself."""

    figures: NodeFigures
    authenticator: Authenticator
    rates: RateLimiter
    exposition: Exposition
    problems: Callable[[], tuple[str, ...]]
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)

    async def build_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request at the address with TLS."""
        if request.path != PATH:
            return self._open(request)
        if request.method not in ("GET", "HEAD"):
            return json_response({"error": "this path accepts GET only"}, 405, {"Allow": "GET"})
        reason = ""
        try:
            pod = await self._admit(request)
            async with asyncio.timeout(ANSWER_SECONDS):
                response = web.Response(body=encode(await self.figures.of(pod)), content_type="application/json")
        except RefusedRequestError as error:
            response, reason = refusal(error), error.reason
        except TimeoutError:
            late = RefusedRequestError(
                "the node cannot read the figures in time; ask again later", status=503, reason="busy", retry_after=5.0
            )
            response, reason = refusal(late), late.reason
        self.requests[str(response.status), reason] += 1
        return response

    async def build_open_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request at the address without TLS."""
        if request.path == PATH:
            return json_response({"error": "this path is served at the address with TLS only"}, 403)
        return self._open(request)

    async def _admit(self, request: web.BaseRequest) -> PodCaller:
        """Return the pod of the request's token; raise RefusedRequestError."""
        given = request.headers.getall("Authorization", [])
        caller = await self.authenticator.caller(given[0] if len(given) == 1 else None, request.remote or "")
        if not caller.pod_uid:
            raise RefusedRequestError(
                "the token is not bound to a pod; mount a projected serviceAccountToken volume into the pod",
                status=403,
                reason="not_bound",
            )
        wait = self.rates.take(caller.key)
        if wait:
            raise RefusedRequestError(
                "this pod asks too often; ask once a second", status=429, reason="rate", retry_after=wait
            )
        return PodCaller(caller.pod_uid, caller.namespace, caller.pod_name)

    def _open(self, request: web.BaseRequest) -> web.Response:
        if request.method not in ("GET", "HEAD"):
            return json_response({"error": "this path accepts GET only"}, 405, {"Allow": "GET"})
        if request.path == "/healthz":
            return json_response({"alive": True})
        if request.path == "/readyz":
            problems = [*(one.text for one in self.figures.problems()), *self.problems()]
            return json_response({"ready": True, "node": self.figures.name, "problems": problems}, 200)
        if request.path == "/metrics":
            body, content_type = self.exposition.render(", ".join(request.headers.getall("Accept", ())))
            return web.Response(body=body, headers={"Content-Type": content_type})
        return json_response(
            {"error": "unknown path", "addresses": sorted(["/healthz", "/metrics", "/readyz", PATH])}, 404
        )
