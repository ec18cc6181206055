"""One view per path of the controller, and the order of the checks before them.

    path, method --> leader? --> token --> rate and concurrency of the caller --> rights --> body --> Backend

A body is read only after the token was reviewed. `ROUTES` lists all paths. An error is a JSON object with the key
`error`; no log, error or metric contains a body or a token.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from aiohttp import web

from ....callers.authentication import Authenticator, Caller, unavailable
from ....callers.errors import RefusedRequestError
from ....callers.rates import RateLimiter
from ....callers.responses import refusal
from ....errors import RefusedError
from ....kube.errors import KubeError
from ....serving.responses import json_response
from ....sync import messages
from ....sync.messages import (
    LABELS_PATH,
    MAX_REQUEST_BYTES,
    MAX_SIGNALS_BYTES,
    PROFILE_PATH,
    SIGNALS_PATH,
    SYNC_PATH,
    LabelResults,
    MessageError,
    Pod,
    Signals,
    SignalsResponse,
    SyncRequest,
)
from ....telemetry.exposition import Exposition
from .authorization import CREATE_ALERTS, CREATE_FEEDBACK, GET_SCALE, Authorizer, require_bound, require_same_pod
from .backend import Backend
from .bodies import SMALL_BYTES, BodyIntake
from .feedback import FleetFeedback
from .label_desk import HOLD_SECONDS, LabelDesk
from .limits import InFlight
from .profiles import ProfileExchange
from .scaling import scale_body
from .tallies import Tallies

FEEDBACK_PATH, ALERTS_PATH, SCALE_PATH = "/v1/feedback", "/v1/alerts", "/v1/scale/"
MAX_LABEL_RESULTS_BYTES = 256 * 1024
MAX_ALERTS_BYTES = 1024 * 1024
MAX_ALERTED = 100  # monitors in one request; each may cost the API server a review
STANDBY_RETRY_SECONDS = 5.0
TYPES = ("application/msgpack", "application/x-msgpack", "application/vnd.msgpack")

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_PATTERNS = {  # of paths that name something, by the route
    PROFILE_PATH: re.compile(re.escape(PROFILE_PATH) + r"([0-9a-f]{64})"),
    SCALE_PATH: re.compile(rf"{re.escape(SCALE_PATH)}({_NAME.pattern})/({_NAME.pattern})"),
}
_SHOWN = {PROFILE_PATH: f"{PROFILE_PATH}HASH", SCALE_PATH: f"{SCALE_PATH}NAMESPACE/MONITOR"}
NO_MONITOR = ("", "")

Message = TypeVar("Message", SyncRequest, Signals, LabelResults)


@dataclass(slots=True)
class Call:
    """A request of an authenticated caller; `monitor` is what it is about, once it is known to exist."""

    request: web.BaseRequest
    caller: Caller
    monitor: tuple[str, str] = field(default=NO_MONITOR)


@dataclass(frozen=True, kw_only=True)
class ViewParts:
    """The collaborators of the views."""

    backend: Backend
    authenticator: Authenticator
    authorizer: Authorizer
    desk: LabelDesk
    tallies: Tallies
    rates: RateLimiter
    offers: RateLimiter
    in_flight: InFlight
    exposition: Exposition
    problems: Callable[[], tuple[str, ...]]


class ControlViews:
    """One method per path, and `build_response`, which dispatches to them.

    `build_open_response` serves only the paths that need no token.
    """

    def __init__(self, parts: ViewParts) -> None:
        self._parts = parts
        self._backend = parts.backend
        self._bodies = BodyIntake()
        self._profiles = ProfileExchange(parts.backend, self._bodies, parts.offers)
        self._feedback = FleetFeedback(parts.backend, self._bodies, parts.desk, parts.tallies)
        self._open: Mapping[str, Callable[[web.BaseRequest], web.Response]] = {
            "/healthz": self.health,
            "/metrics": self.metrics,
            "/readyz": self.ready,
        }
        self._routes: Mapping[str, tuple[str, Callable[[Call], Awaitable[web.Response]]]] = {
            ALERTS_PATH: ("POST", self.alerts),
            FEEDBACK_PATH: ("POST", self.feedback),
            LABELS_PATH: ("POST", self.labels),
            PROFILE_PATH: ("GET, PUT", self.profile),
            SCALE_PATH: ("GET", self.scale),
            SIGNALS_PATH: ("POST", self.signals),
            SYNC_PATH: ("POST", self.sync),
        }

    async def build_open_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to a request at the address without TLS."""
        if request.path.startswith("/v1/"):
            return json_response({"error": "this path is served at the address with TLS only"}, 403)
        return self._open_response(request) or self._unknown()

    async def build_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to any request."""
        found = self._open_response(request)
        if found is not None:
            return found
        path = _route(request.path)
        methods, view = self._routes.get(path, ("", None))
        if view is None:
            return self._unknown()
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods.split(", "):
            return json_response({"error": f"this path accepts {methods} only"}, 405, {"Allow": methods})
        monitor, reason = NO_MONITOR, ""
        try:
            call = await self._admit(request)
            with self._parts.in_flight.serving(call.caller.key):
                try:
                    response = await view(call)
                finally:
                    monitor = call.monitor
        except RefusedError as error:
            response, reason = refusal(error), getattr(error, "reason", "invalid")
        except KubeError as error:
            refused = unavailable("the request cannot be served", error)
            response, reason = refusal(refused), refused.reason
        except web.RequestPayloadError:
            response, reason = json_response({"error": "cannot read the chunks of the body"}, 400), "chunks"
        self._parts.tallies.count_request(monitor, path, response.status, reason)
        return response

    async def _admit(self, request: web.BaseRequest) -> Call:
        """Return the call of a request that may be served; raise RefusedRequestError otherwise."""
        if not self._backend.leading:
            raise RefusedRequestError(
                "this replica is not the leader; send the request to the Service of the controller again",
                status=503,
                reason="standby",
                retry_after=STANDBY_RETRY_SECONDS,
            )
        given = request.headers.getall("Authorization", [])
        caller = await self._parts.authenticator.caller(given[0] if len(given) == 1 else None, request.remote or "")
        wait = self._parts.rates.take(caller.key)
        if wait:
            raise RefusedRequestError(
                "this caller sends too many requests; send fewer", status=429, reason="rate", retry_after=wait
            )
        return Call(request, caller)

    # --- pods

    async def sync(self, call: Call) -> web.Response:
        """Take the counts of a pod."""
        message = await self._message(call, SyncRequest, MAX_REQUEST_BYTES)
        return _packed(await self._backend.sync(message))

    async def signals(self, call: Call) -> web.Response:
        """Take the load of a pod; return the labels that wait for it."""
        message = await self._message(call, Signals, MAX_SIGNALS_BYTES)
        await self._backend.signals(message)
        return await self._deliveries(message.pod, message.monitor)

    async def labels(self, call: Call) -> web.Response:
        """Take what a pod made of labels; return the next ones."""
        message = await self._message(call, LabelResults, MAX_LABEL_RESULTS_BYTES)
        self._parts.desk.settle(message.pod.uid, message.results)
        return await self._deliveries(message.pod, message.monitor, hold=HOLD_SECONDS)

    async def profile(self, call: Call) -> web.Response:
        """GET: return a profile. PUT: take a learned one."""
        pod = require_bound(call.caller)
        path = _PATTERNS[PROFILE_PATH].fullmatch(call.request.path)
        assert path is not None
        if call.request.method == "PUT":
            return await self._profiles.take(call.request, pod, path[1])
        return await self._profiles.fetch(call.request, pod, path[1])

    async def _deliveries(self, pod: Pod, monitor: str, *, hold: float = 0.0) -> web.Response:
        monitor = self._backend.monitor_of(pod, monitor)
        if not self._backend.has_pod(pod.namespace, monitor, pod.uid):
            return _packed(SignalsResponse())
        found = await self._parts.desk.collect(pod.uid, (pod.namespace, monitor), hold=hold)
        return _packed(SignalsResponse(labels=found))

    async def _message(self, call: Call, kind: type[Message], limit: int) -> Message:
        """Return the message in the body, after its pod was compared with the token's."""
        bound = require_bound(call.caller)
        _require_type(call.request)
        async with self._bodies.read(call.request, limit) as raw:
            try:
                message = (
                    await asyncio.to_thread(messages.decode, raw, kind)
                    if len(raw) > SMALL_BYTES
                    else messages.decode(raw, kind)
                )
            except MessageError as error:
                raise RefusedRequestError(str(error), reason="unreadable") from error
        require_same_pod(bound, message.pod)
        monitor = self._backend.monitor_of(bound, message.monitor)
        if self._backend.knows(bound.namespace, monitor):
            call.monitor = (bound.namespace, monitor)
        return message

    # --- other callers

    async def feedback(self, call: Call) -> web.Response:
        """Take labels for the pods of a monitor."""
        monitor = _monitor(call.request)
        await self._parts.authorizer.require(call.caller, CREATE_FEEDBACK, *monitor)
        if self._backend.knows(*monitor):
            call.monitor = monitor
        return await self._feedback.take(call.request, monitor)

    async def alerts(self, call: Call) -> web.Response:
        """Take a webhook of Alertmanager."""
        asked = set[tuple[str, str]]()

        async def may_create(namespace: str, monitor: str) -> bool:
            if not (_NAME.fullmatch(namespace) and _NAME.fullmatch(monitor)):
                return False
            asked.add((namespace, monitor))
            if len(asked) > MAX_ALERTED:
                raise RefusedRequestError(
                    f"the alerts name more than {MAX_ALERTED} monitors; group them by namespace and monitor",
                    status=413,
                    reason="too_many_monitors",
                )
            return await self._parts.authorizer.may(call.caller, CREATE_ALERTS, namespace, monitor)

        async with self._bodies.read(call.request, MAX_ALERTS_BYTES) as raw:
            answer = await self._backend.alerts(raw, may_create)
        return json_response(
            {"accepted": answer.accepted, "ignored": answer.ignored, "problems": list(answer.problems)}
        )

    async def scale(self, call: Call) -> web.Response:
        """Return the desired number of replicas of a monitor; 503 while there is none that is current."""
        path = _PATTERNS[SCALE_PATH].fullmatch(call.request.path)
        assert path is not None
        await self._parts.authorizer.require(call.caller, GET_SCALE, path[1], path[2])
        if self._backend.knows(path[1], path[2]):
            call.monitor = (path[1], path[2])
        return json_response(scale_body(self._backend.scale(path[1], path[2])))

    # --- without a token

    def health(self, _: web.BaseRequest) -> web.Response:
        """Return 200 while the event loop runs."""
        return json_response({"alive": True})

    def ready(self, _: web.BaseRequest) -> web.Response:
        """Return 200 for the leader and for a standby, which is ready to lead; 503 while the mirrors are incomplete."""
        state = self._backend.state()
        ready = state.role != "starting"
        detail = {
            "ready": ready,
            "role": state.role,
            "contact_age": state.contact_age,
            "problems": [*state.problems, *self._parts.problems()],
        }
        return json_response(detail, 200 if ready else 503)

    def metrics(self, request: web.BaseRequest) -> web.Response:
        """Return the metrics in the format that the scraper accepts."""
        body, content_type = self._parts.exposition.render(", ".join(request.headers.getall("Accept", ())))
        return web.Response(body=body, headers={"Content-Type": content_type})

    def _open_response(self, request: web.BaseRequest) -> web.Response | None:
        view = self._open.get(request.path)
        if view is None:
            return None
        if request.method not in ("GET", "HEAD"):
            return json_response({"error": "this path accepts GET only"}, 405, {"Allow": "GET"})
        return view(request)

    def _unknown(self) -> web.Response:
        known = sorted([*self._open, *(_SHOWN.get(path, path) for path in self._routes)])
        return json_response({"error": "unknown path", "addresses": known}, 404)


def _route(path: str) -> str:
    """Return the key of `path` in the routes; empty if it only begins like one of a pattern."""
    found = next((route for route, pattern in _PATTERNS.items() if pattern.fullmatch(path)), path)
    return "" if found == path and path in _PATTERNS else found


def _packed(message: messages.SyncResponse | SignalsResponse) -> web.Response:
    return web.Response(body=messages.encode(message), content_type=messages.CONTENT_TYPE)


def _require_type(request: web.BaseRequest) -> None:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise RefusedRequestError(
            f"the content type is not {messages.CONTENT_TYPE}; send MessagePack", status=415, reason="content_type"
        )


def _monitor(request: web.BaseRequest) -> tuple[str, str]:
    """Return namespace and monitor of the query."""
    found = []
    for name in ("namespace", "monitor"):
        values = request.query.getall(name, [])
        if len(values) != 1 or not _NAME.fullmatch(values[0]):
            raise RefusedRequestError(
                f"the query needs {name} once, a name of Kubernetes: {FEEDBACK_PATH}?namespace=NAMESPACE&monitor=NAME",
                reason="no_monitor",
            )
        found.append(values[0])
    return found[0], found[1]
