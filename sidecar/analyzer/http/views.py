"""What each address answers. The table at the end is all there is; nothing of the file system can be asked for."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from ...report.pages import page
from ...report.timeline.build import time_line
from ...report.timeline.schema import Timeline
from ...rows.blocks import Block
from ...rows.jsonlines import as_lines
from ...telemetry.exposition import Exposition
from ...telemetry.scrape import ScrapeInput
from ..actions import LONGEST_BY, LONGEST_REASON, AuditedActions, query_text
from ..errors import RefusedError
from ..feedback import request as body
from ..feedback.labels import FeedbackResponse, LabelBatch
from ..snapshot import Snapshot
from . import access
from .report import build_response

SMALL_BODY = 32 * 1024  # read within the event loop
EPISODE = re.compile(r"/episodes/([\w.:~-]{1,128})/close")


@dataclass(frozen=True, kw_only=True)
class ViewDependencies:
    """What the views read and whom they ask.

    `read` takes a reading for one answer, `published` is the newest snapshot, `config` what is in force, as plain
    values; `take_labels` joins and counts labels; `decisions` carries out what people decide; `rows` gives the recent
    rows that are kept, None where none are.
    """

    read: Callable[[], ScrapeInput]
    published: Callable[[], Snapshot]
    config: Callable[[], Mapping[str, object]]
    take_labels: Callable[[LabelBatch], Future[FeedbackResponse]]
    actions: AuditedActions
    rows: Callable[[], Iterator[Block] | None]
    alive: Callable[[], bool]
    token_file: Path | None


View = Callable[[web.BaseRequest], Awaitable[web.Response]]


class Views:
    """One method for each address, and `build_response`, which finds it."""

    def __init__(self, sources: ViewDependencies) -> None:
        self._sources = sources
        self._timeline_lock = asyncio.Lock()
        self._exposition = Exposition(sources.read)
        self._table: dict[str, tuple[str, View]] = {
            "/": ("GET", self.root),
            "/config": ("GET", self.config),
            "/healthz": ("GET", self.health),
            "/metrics": ("GET", self.metrics),
            "/profile": ("PUT", self.profile),
            "/readyz": ("GET", self.ready),
            "/rebaseline": ("POST, DELETE", self.rebaseline),
            "/report": ("GET", self.report),
            "/rows": ("GET", self.rows),
            "/state": ("GET", self.state),
            "/v1/feedback": ("POST", self.feedback),
            "/windows": ("GET", self.windows),
        }

    async def build_response(self, request: web.BaseRequest) -> web.Response:
        """Answer one request, whatever it is."""
        path = request.path
        if not access.is_authorized(path, request.headers, self._sources.token_file):
            return _json({"error": "this needs the bearer token"}, 401, {"WWW-Authenticate": access.CHALLENGE})
        if path not in access.OPEN_PATHS and access.is_cross_site(request.method, request.headers):
            return _json(
                {"error": "a page in a browser must not read or change anything here; open the address itself"}, 403
            )
        method, view = self._find(path)
        if view is None:
            return _json({"error": "there is nothing here", "addresses": sorted(self._table)}, 404)
        if request.method not in method.split(", ") and (request.method, method) != ("HEAD", "GET"):
            return _json({"error": f"only {method} is answered here"}, 405, {"Allow": method})
        try:
            return await view(request)
        except RefusedError as error:
            return _json({"error": str(error)}, error.status)
        except web.RequestPayloadError:
            return _json({"error": "the body is not in the coding that its headers name"}, 400, {"Connection": "close"})
        except web.HTTPRequestEntityTooLarge:
            return _json({"error": "the body is larger than 16 MiB"}, 413, {"Connection": "close"})

    async def root(self, _: web.BaseRequest) -> web.Response:
        """Send a browser to the page."""
        return web.Response(status=302, headers={"Location": "/report"})

    async def health(self, _: web.BaseRequest) -> web.Response:
        """200 while the process works."""
        alive = self._sources.alive()
        return _json({"alive": alive}, 200 if alive else 503)

    async def ready(self, _: web.BaseRequest) -> web.Response:
        """200 while exchanges are counted; 503 with the reason while idle."""
        report = self._sources.published().report
        ready = report.state != "idle"
        detail = {"ready": ready, "state": report.state, "reason": report.reason, "warnings": report.warnings}
        return _json(detail, 200 if ready else 503)

    async def metrics(self, request: web.BaseRequest) -> web.Response:
        """The exposition, in the format that the scraper prefers."""
        body, content_type = self._exposition.render(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})

    async def report(self, request: web.BaseRequest) -> web.Response:
        """The Report: a page for a browser, JSON for everybody else."""
        published = self._sources.published()
        made = build_response(published.report, self._sources.read())
        if "text/html" not in request.headers.get("Accept", ""):
            return _json(made)
        text = page.render(made, await self._time_line(published), live=True)
        headers = {"Content-Security-Policy": page.POLICY}
        return web.Response(text=text, content_type="text/html", charset="utf-8", headers=headers)

    async def windows(self, _: web.BaseRequest) -> web.Response:
        """The time line: what the report says of now, window by window."""
        line = await self._time_line(self._sources.published())
        return web.Response(body=msgspec.json.encode(line), content_type="application/json", charset="utf-8")

    async def state(self, _: web.BaseRequest) -> web.Response:
        """The counts of the open ticks, as of the last checkpoint."""
        return _json(_state(self._sources.published()))

    async def config(self, _: web.BaseRequest) -> web.Response:
        """The settings in force."""
        return _json(self._sources.config())

    async def profile(self, request: web.BaseRequest) -> web.Response:
        """Put the profile in the body into force."""
        taken = await self._sources.actions.take_profile(await request.read(), *_requester(request))
        return _json({"profile": taken})

    async def rebaseline(self, request: web.BaseRequest) -> web.Response:
        """POST: learn the new normal from the rows to come. DELETE: end that, the profile in force stays."""
        if request.method == "DELETE":
            await self._sources.actions.cancel(*_requester(request))
            return _json({"cancelled": True})
        learning = await self._sources.actions.rebaseline(await request.read())
        return _json({"learning": msgspec.to_builtins(learning)}, 202)

    async def rows(self, _: web.BaseRequest) -> web.Response:
        """The recent rows that are kept, one JSON object a line; only to who has the token."""
        if self._sources.token_file is None:
            return _json({"error": "rows are given only where --token-file guards them"}, 403)
        blocks = self._sources.rows()
        if blocks is None:
            return _json({"error": "no rows are kept; spec.traffic.keepRows keeps some"}, 404)
        return web.Response(body=_lines(blocks), content_type="application/x-ndjson", charset="utf-8")

    async def feedback(self, request: web.BaseRequest) -> web.Response:
        """Take labels: 200 once those that can be read are counted for good, 400 when none can be."""
        form = (request.headers.get("Content-Type", ""), request.headers)
        try:
            if (request.content_length or 0) > body.MAX_BODY_BYTES:
                raise body.TooLargeError(f"the body is larger than {body.MAX_BODY_BYTES >> 20} MiB; send it in parts")
            raw = await request.read()
            labels = body.read(raw, *form) if len(raw) < SMALL_BODY else await asyncio.to_thread(body.read, raw, *form)
        except body.FeedbackError:
            self._sources.take_labels(LabelBatch((), invalid=1))
            raise
        build_response = msgspec.to_builtins(await asyncio.wrap_future(self._sources.take_labels(labels)))
        if labels.labels or not labels.invalid:
            return _json(build_response)
        first = labels.problems[0]
        return _json({"error": f"{first.path} {first.problem}".strip(), **build_response}, 400)

    async def close_episode(self, request: web.BaseRequest) -> web.Response:
        """End an episode on behalf of a person."""
        found = EPISODE.fullmatch(request.path)
        assert found is not None
        await self._sources.actions.close_episode(found[1], *_requester(request))
        return _json({"closed": found[1]})

    async def _time_line(self, published: Snapshot) -> Timeline:
        """Make the time line beside the event loop; one at a time, since whoever counts needs the processor more."""
        async with self._timeline_lock:
            return await asyncio.to_thread(time_line, published.profile, published.windows, published.report)

    def _find(self, path: str) -> tuple[str, View | None]:
        if EPISODE.fullmatch(path):
            return "POST", self.close_episode
        return self._table.get(path, ("", None))


def _requester(request: web.BaseRequest) -> tuple[str, str]:
    """Return who asks, and why, as the query says: ?by=ann&reason=..."""
    query = dict(request.query)
    return query_text(query, "by", LONGEST_BY), query_text(query, "reason", LONGEST_REASON)


async def _lines(blocks: Iterator[Block]) -> AsyncIterator[bytes]:
    while (block := await asyncio.to_thread(next, blocks, None)) is not None:
        yield await asyncio.to_thread(as_lines, block)


def _json(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    raw = msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n"
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json", charset="utf-8")


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
