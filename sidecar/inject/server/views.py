"""One view per path. POST /inject at the address with TLS, health and metrics at the other one.

A review ends within REVIEW_SECONDS and never without an answer, except for a body that has no UID to answer to. What
goes wrong inside admits the pod as it is, or refuses it if the injector fails closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from ...errors import RefusedError
from ...serving.bodies import receive_body
from ...serving.responses import json_response
from ...telemetry.exposition import Exposition
from .decide import Decider
from .reporting import Reporter
from .review import ReviewAnswer, ReviewRequest, encode_answer, parse_review
from .tallies import InjectorTallies

INJECT_PATH = "/inject"
REVIEW_SECONDS = 2.5  # the API server waits for 3
BODY_SECONDS = 2.0
MAX_REVIEW_BYTES = 4 * 1024 * 1024  # an object of the API has 3 MiB at most
SMALL_BYTES = 256 * 1024  # a larger body waits for its turn, since it takes memory in proportion
LARGE_AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class InjectorViews:
    """The views. `not_ready` returns why the injector cannot serve yet, `problems` what is wrong although it serves."""

    decider: Decider
    reporter: Reporter
    fail_closed: bool
    tallies: InjectorTallies
    exposition: Exposition
    not_ready: Callable[[], tuple[str, ...]]
    problems: Callable[[], tuple[str, ...]]
    _large: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(LARGE_AT_ONCE))

    async def build_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request at the address with TLS."""
        if request.path != INJECT_PATH:
            return json_response({"error": "unknown path", "addresses": [INJECT_PATH]}, 404)
        if request.method != "POST":
            return json_response({"error": f"{INJECT_PATH} accepts POST only"}, 405, {"Allow": "POST"})
        try:
            with self.tallies.timed():
                return await self._review(request)
        except RefusedError as error:
            self.tallies.reviews["invalid"] += 1
            return json_response({"error": str(error)}, error.status)
        except web.RequestPayloadError:
            self.tallies.reviews["invalid"] += 1
            return json_response({"error": "cannot read the chunks of the body"}, 400)

    async def build_open_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request at the address without TLS."""
        views = {"/healthz": self._health, "/metrics": self._metrics, "/readyz": self._ready}
        view = views.get(request.path)
        if view is None:
            return json_response({"error": "unknown path", "addresses": sorted(views)}, 404)
        if request.method not in ("GET", "HEAD"):
            return json_response({"error": "this path accepts GET only"}, 405, {"Allow": "GET"})
        return view(request)

    async def _review(self, request: web.BaseRequest) -> web.Response:
        if (request.content_length or SMALL_BYTES + 1) > SMALL_BYTES:
            async with self._large:
                review = parse_review(await receive_body(request, MAX_REVIEW_BYTES, BODY_SECONDS))
        else:
            review = parse_review(await receive_body(request, SMALL_BYTES, BODY_SECONDS))
        body, outcome = await self._answer(review)
        self.tallies.reviews[outcome] += 1
        return web.Response(body=body, content_type="application/json")

    async def _answer(self, review: ReviewRequest) -> tuple[bytes, str]:
        """Return the body of the response to a review, and its outcome."""
        if review.pod is None:
            return encode_answer(review.uid, ReviewAnswer(audit={"ignored": review.ignored})), "answered"
        try:
            async with asyncio.timeout(REVIEW_SECONDS):
                decision = await self.decider.decide(review)
            body = encode_answer(review.uid, decision.answer())
            self.reporter.decided(review, decision)
        except Exception as error:  # the API server gets an answer in any case
            refused = self.fail_closed and self.decider.may_ask(review)
            why = self.reporter.failed(review, error, refused=refused)
            answer = ReviewAnswer(refusal=why if refused else "", warnings=[f"Pilotfish: {why}"], audit={"failed": why})
            return encode_answer(review.uid, answer), "failed"
        return body, "answered"

    def _health(self, _: web.BaseRequest) -> web.Response:
        return json_response({"alive": True})

    def _ready(self, _: web.BaseRequest) -> web.Response:
        reasons = self.not_ready()
        problems = [*reasons, *self.problems()]
        return json_response({"ready": not reasons, "problems": problems}, 503 if reasons else 200)

    def _metrics(self, request: web.BaseRequest) -> web.Response:
        body, content_type = self.exposition.render(", ".join(request.headers.getall("Accept", ())))
        return web.Response(body=body, headers={"Content-Type": content_type})
