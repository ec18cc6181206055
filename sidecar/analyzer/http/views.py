"""One view per path. The table in `Views.__init__` lists all paths; none gives access to the file system.

A view reads the published snapshot. Changes go through `AuditedActions` or the worker's queue. An error is a
JSON object with the key `error`.
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import HttpVersion11, web

from ....detectors.profile.profile import Profile
from ...errors import RefusedError
from ...labels import request as labelled
from ...labels.labels import FeedbackResponse, LabelBatch
from ...report.pages import page
from ...report.timeline.build import time_line
from ...report.timeline.schema import Timeline
from ...rows.blocks import RowBlock
from ...rows.jsonlines import as_lines
from ...serving.bodies import BodyTooLargeError
from ...serving.gate import MAX_BODY_BYTES
from ...serving.headers import RETRY_SECONDS
from ...system import accept
from ...telemetry.exposition import Exposition
from ...telemetry.scrape import ScrapeInput
from ..actions import MAX_BY_LENGTH, MAX_REASON_LENGTH, AuditedActions, query_text
from ..snapshot import Snapshot
from ..visibility.readiness import Readiness
from .access import Access
from .bodies import SMALL_BYTES, BodyReader
from .report import build_response

HTML, JSON = "text/html", "application/json"
OWNED = (
    "the controller owns profile and episodes of this pod; change the ModelMonitor, such as its spec.profiles, or ask "
    "the controller"
)
READ_ONLY = (
    "this address is read-only, because the pod follows a controller and has no --token-file; send labels to POST "
    "/v1/feedback of the controller"
)
EPISODE = re.compile(r"/episodes/([\w.:~-]{1,128})/close")


@dataclass(frozen=True, kw_only=True)
class ViewDependencies:
    """The collaborators of the views.

    read         returns report, counter page, blind spots and control status of this moment
    readiness    returns whether the traffic is measured at this moment
    published    returns the latest snapshot
    config       returns the options and the document in force, as plain values without secrets
    take_labels  submits labels to the worker
    actions      carries out the changes that people request
    rows         returns the stored recent rows, oldest first; None when the document stores none
    alive        returns whether the worker runs
    access       decides which requests pass
    """

    read: Callable[[], ScrapeInput]
    readiness: Callable[[], Readiness]
    published: Callable[[], Snapshot]
    config: Callable[[], Mapping[str, object]]
    take_labels: Callable[[LabelBatch], Future[FeedbackResponse]]
    actions: AuditedActions
    rows: Callable[[], Iterator[RowBlock] | None]
    alive: Callable[[], bool]
    access: Access


View = Callable[[web.BaseRequest], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class AdminRoute:
    """A path: its view, the methods that read, and the methods that change something.

    `owned` is whether a controller, if there is one, decides about these changes in place of the pod.
    """

    view: View
    reads: tuple[str, ...] = ("GET",)
    writes: tuple[str, ...] = ()
    owned: bool = False


class Views:
    """One method per path, and `build_response`, which dispatches to them."""

    def __init__(self, sources: ViewDependencies) -> None:
        self._sources = sources
        self._thread_lock = asyncio.Lock()  # one at a time, to leave the processor to the worker
        self._bodies = BodyReader()
        self._exposition = Exposition(sources.read)
        self._close_episode = AdminRoute(self.close_episode, reads=(), writes=("POST",), owned=True)
        self._table = {
            "/": AdminRoute(self.root),
            "/config": AdminRoute(self.config),
            "/healthz": AdminRoute(self.health),
            "/metrics": AdminRoute(self.metrics),
            "/profile": AdminRoute(self.profile, writes=("PUT",), owned=True),
            "/readyz": AdminRoute(self.ready),
            "/rebaseline": AdminRoute(self.rebaseline, reads=(), writes=("POST", "DELETE"), owned=True),
            "/report": AdminRoute(self.report),
            "/rows": AdminRoute(self.rows),
            "/state": AdminRoute(self.state),
            "/v1/feedback": AdminRoute(self.feedback, reads=(), writes=("POST",)),
            "/windows": AdminRoute(self.windows),
        }

    async def build_response(self, request: web.BaseRequest) -> web.Response:
        """Return the response to any request."""
        path = request.path
        refusal = self._sources.access.refusal(
            request.method, path, request.headers, host_required=request.version >= HttpVersion11
        )
        if refusal is not None:
            return _json({"error": refusal.error}, refusal.status, refusal.headers)
        route = self._close_episode if EPISODE.fullmatch(path) else self._table.get(path)
        if route is None:
            return _json({"error": "unknown path", "addresses": sorted(self._table)}, 404)
        if (refused := self._refused(route, request.method, path)) is not None:
            return refused
        try:
            return await route.view(request)
        except RefusedError as error:
            headers = {"Retry-After": str(RETRY_SECONDS)} if error.status == 503 else {}
            return _json({"error": str(error)}, error.status, headers)
        except web.RequestPayloadError:
            return _json({"error": "cannot read the chunks of the body"}, 400)

    async def root(self, _: web.BaseRequest) -> web.Response:
        """Redirect to the report page."""
        return web.Response(status=302, headers={"Location": "/report"})

    async def health(self, _: web.BaseRequest) -> web.Response:
        """Return 200 while the worker runs, 503 otherwise."""
        alive = self._sources.alive()
        return _json({"alive": alive}, 200 if alive else 503)

    async def ready(self, _: web.BaseRequest) -> web.Response:
        """Return 200 while the traffic is measured, at least in part, otherwise 503 with the status and the reasons."""
        report, found = self._sources.published().report, self._sources.readiness()
        detail = {
            "ready": found.ready,
            "status": found.status,
            "state": report.state,
            "reason": report.reason,
            "blind": found.spots,
            "warnings": report.warnings,  # without the texts of `blind`
        }
        if (sync := self._sources.read().sync) is not None:
            detail["sync"] = sync
        return _json(detail, 200 if found.ready else 503)

    async def metrics(self, request: web.BaseRequest) -> web.Response:
        """Return the metrics in the format that the scraper accepts."""
        body, content_type = self._exposition.render(_listed(request, "Accept"))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def report(self, request: web.BaseRequest) -> web.Response:
        """Return the report: as a page when the client prefers HTML, otherwise as JSON."""
        published = self._sources.published()
        answer = build_response(published.report, self._sources.read())
        kind, _ = accept.preferred(_listed(request, "Accept"), (HTML, JSON), JSON)
        if kind == JSON:
            return _json(answer)
        text = page.render(answer, await self._time_line(published), live=True)
        headers = {"Content-Security-Policy": page.POLICY}
        return web.Response(text=text, content_type=HTML, charset="utf-8", headers=headers)

    async def windows(self, _: web.BaseRequest) -> web.Response:
        """Return the timeline: the report's history, window by window."""
        line = await self._time_line(self._sources.published())
        return web.Response(body=msgspec.json.encode(line), content_type=JSON, charset="utf-8")

    async def state(self, _: web.BaseRequest) -> web.Response:
        """Return the counts of the open ticks, as of the last checkpoint."""
        return _json(_state(self._sources.published()))

    async def config(self, _: web.BaseRequest) -> web.Response:
        """Return the settings in force."""
        return _json(self._sources.config())

    async def profile(self, request: web.BaseRequest) -> web.Response:
        """GET: return the profile in force, with its hash as ETag. PUT: put the profile in the body into force."""
        if request.method == "PUT":
            async with self._bodies.read(request, MAX_BODY_BYTES) as raw:
                profile_hash = await self._sources.actions.set_profile(raw, *_requester(request))
            return _json({"profile": profile_hash})
        found = self._sources.published().profile
        if found is None:
            return _json({"error": "no profile is in force; put one with PUT /profile, or learn one"}, 404)
        packed = accept.accepts_gzip(_listed(request, "Accept-Encoding"))
        headers = {"ETag": f'W/"{found.hash}"' if packed else f'"{found.hash}"', "Vary": "Accept-Encoding"}
        if {found.hash, "*"} & accept.entity_tags(_listed(request, "If-None-Match")):
            return web.Response(status=304, headers=headers)
        async with self._thread_lock:
            raw = await asyncio.to_thread(_compressed if packed else Profile.to_bytes, found)
        headers |= {"Content-Encoding": "gzip"} if packed else {}
        return web.Response(body=raw, headers=headers, content_type=JSON, charset="utf-8")

    async def rebaseline(self, request: web.BaseRequest) -> web.Response:
        """POST: learn a new profile from the next rows. DELETE: cancel this; the profile in force stays."""
        if request.method == "DELETE":
            await self._sources.actions.cancel_learning(*_requester(request))
            return _json({"cancelled": True})
        async with self._bodies.read(request, SMALL_BYTES) as raw:
            learning = await self._sources.actions.rebaseline(raw)
        return _json({"learning": msgspec.to_builtins(learning)}, 202)

    async def rows(self, _: web.BaseRequest) -> web.Response:
        """Return the stored recent rows, one JSON object per line; requires a token file."""
        if self._sources.access.token_file is None:
            return _json({"error": "rows are served only with a token; start with --token-file"}, 403)
        blocks = self._sources.rows()
        if blocks is None:
            return _json({"error": "no rows are stored; set spec.traffic.keepRows in the document"}, 404)
        return web.Response(body=_lines(blocks), content_type="application/x-ndjson", charset="utf-8")

    async def feedback(self, request: web.BaseRequest) -> web.Response:
        """Take labels: return 200 once the valid ones are stored durably, 400 when none is valid."""
        form = (request.headers.get("Content-Type", ""), request.headers)
        try:
            async with self._bodies.read(request, labelled.MAX_BODY_BYTES) as raw:
                in_thread = len(raw) > SMALL_BYTES
                labels = await asyncio.to_thread(labelled.read, raw, *form) if in_thread else labelled.read(raw, *form)
                answer = (await asyncio.wrap_future(self._sources.take_labels(labels))).shown()
        except (labelled.FeedbackError, BodyTooLargeError):
            self._sources.take_labels(LabelBatch((), invalid=1))
            raise
        if labels.labels or not labels.invalid:
            return _json(answer)
        first = labels.problems[0]
        return _json({"error": f"{first.path} {first.problem}".strip(), **answer}, 400)

    async def close_episode(self, request: web.BaseRequest) -> web.Response:
        """Close an episode at a person's request."""
        found = EPISODE.fullmatch(request.path)
        assert found is not None
        await self._sources.actions.close_episode(found[1], *_requester(request))
        return _json({"closed": found[1]})

    async def _time_line(self, published: Snapshot) -> Timeline:
        """Build the timeline in a thread."""
        async with self._thread_lock:
            return await asyncio.to_thread(time_line, published.profile, published.windows, published.report)

    def _refused(self, route: AdminRoute, method: str, path: str) -> web.Response | None:
        """Return the response to a method that the route does not have, or that nobody may use here; None otherwise."""
        if ("GET" if method == "HEAD" else method) in route.reads:
            return None
        if method not in route.writes:
            allowed = ", ".join(route.reads + route.writes)
            return _json({"error": f"this path accepts {allowed} only"}, 405, {"Allow": allowed})
        access = self._sources.access
        if not access.read_only and not (access.controlled and route.owned):
            return None
        why = OWNED if route.owned else READ_ONLY
        return _json({"error": f"{method} {path} is refused: {why}"}, 403 if access.read_only else 409)


def _requester(request: web.BaseRequest) -> tuple[str, str]:
    """Return requester and reason from the query: ?by=ann&reason=..."""
    query = request.query
    return query_text(query, "by", MAX_BY_LENGTH), query_text(query, "reason", MAX_REASON_LENGTH)


def _listed(request: web.BaseRequest, name: str) -> str:
    """Return a header that is a list, which may stand in several lines."""
    return ", ".join(request.headers.getall(name, ()))


def _compressed(profile: Profile) -> bytes:
    return gzip.compress(profile.to_bytes(), mtime=0)


async def _lines(blocks: Iterator[RowBlock]) -> AsyncIterator[bytes]:
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield await asyncio.to_thread(as_lines, block)


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    raw = msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n"
    return web.Response(body=raw, status=status, headers=headers, content_type=JSON, charset="utf-8")


def _state(published: Snapshot) -> dict[str, Any]:
    report, profile = published.report, published.profile
    ticks = []
    for tick, counts in published.open_counts.items() if profile else ():
        features = {}
        for feature in profile.features if profile else ():
            bins = counts.of(profile, feature.name).tolist() if profile else []
            features[feature.name] = {label: count for label, count in zip(feature.labels, bins, strict=True) if count}
        ticks.append(
            {
                "tick": tick,
                "input_rows": counts.input_rows,
                "prediction_rows": counts.prediction_rows,
                "features": features,
            }
        )
    return {
        "profile_hash": report.profile.hash if report.profile else None,
        "tick_seconds": report.ticks.tick_seconds,
        "last_closed": report.ticks.last_closed,
        "open": ticks,
    }
