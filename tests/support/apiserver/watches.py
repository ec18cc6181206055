"""The watches of the API server: one JSON line per event, with bookmarks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.support.apiserver.problems import Problem, expired
from tests.support.apiserver.selectors import Matches
from tests.support.apiserver.storage import Change, Kind, Storage


@dataclass(eq=False)
class OpenWatch:
    """A watch that a client has open. A test may silence it, close it, or make it send any line."""

    silent: bool = False
    closed: bool = False
    lines: list[bytes] = field(default_factory=list)
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def close(self) -> None:
        """End the response."""
        self.closed = True
        self.woken.set()

    def send(self, line: bytes) -> None:
        """Send a line as it is."""
        self.lines.append(line)
        self.woken.set()

    def expire(self) -> None:
        """Report that the revision is too old, and end the response."""
        self.send(_line("ERROR", expired().status()))
        self.close()


async def stream(
    request: web.Request,
    storage: Storage,
    watch: OpenWatch,
    kind: Kind,
    namespace: str,
    name: str,
    matches: Matches,
    bookmark: float,
) -> web.StreamResponse:
    """Send the changes of a kind of object until the client's time is over or the watch is closed."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    position = int(request.query.get("resourceVersion") or storage.revision)
    end = loop.time() + float(request.query.get("timeoutSeconds", "1800"))
    marks = request.query.get("allowWatchBookmarks") in {"1", "true"}
    while not watch.closed or watch.lines:
        changed, watch.woken = storage.changed, asyncio.Event()
        if not watch.silent:
            lines, watch.lines = watch.lines, []
            try:
                for change in storage.since(position):
                    position = change.revision
                    lines += _events(change, kind, namespace, name, matches)
            except Problem as problem:
                lines.append(_line("ERROR", problem.status()))
                watch.closed = True
            for line in lines:
                await response.write(line + b"\n")
        elif watch.closed:
            break
        if watch.closed:
            continue
        left = min(bookmark if marks else end, end - loop.time())
        if left <= 0:
            break
        if await _either(changed, watch.woken, left) or watch.silent or not marks:
            continue
        body = {"metadata": {"resourceVersion": str(position), "creationTimestamp": None}}
        await response.write(_line("BOOKMARK", body) + b"\n")
    return response


async def _either(one: asyncio.Event, other: asyncio.Event, seconds: float) -> bool:
    """Wait for one of two events; return whether one came in time."""
    tasks = [asyncio.create_task(one.wait()), asyncio.create_task(other.wait())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    return bool(done)


def _events(change: Change, kind: Kind, namespace: str, name: str, matches: Matches) -> Iterator[bytes]:
    """Yield the line of a change, as a watch with these selectors sees it."""
    metadata = change.object["metadata"]
    if (
        change.kind != kind
        or namespace not in {"", metadata.get("namespace", "")}
        or name not in {"", metadata["name"]}
    ):
        return
    before = change.before is not None and matches(change.before)
    after = change.type != "DELETED" and matches(change.object)
    if before or after:
        yield _line("MODIFIED" if before and after else "ADDED" if after else "DELETED", change.object)


def _line(kind: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode()
