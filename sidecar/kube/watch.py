"""Watches without end: they resume after each response, list again when the history is lost, and detect silence.

    list --> LISTED --> watch from its resourceVersion --> ADDED | MODIFIED | DELETED | BOOKMARK
     ^                    |           ^        |
     |  410, bad line     |           +--------+  end, error or silence: resume at the last resourceVersion
     +--------------------+

Every event carries the resourceVersion from which the next request resumes, so that no change is lost or seen twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from ..errors import quote_value
from .client import Kube
from .errors import ExpiredError, KubeError, error_of_status
from .objects import Resource
from .read import Trim, list_all, select

LISTED: Final = "LISTED"
ADDED: Final = "ADDED"
MODIFIED: Final = "MODIFIED"
DELETED: Final = "DELETED"
BOOKMARK: Final = "BOOKMARK"
CHANGES: Final = frozenset({ADDED, MODIFIED, DELETED})

LONG_RESPONSE = 5.0  # seconds; one that ends earlier without an event counts as a failure, so that a pause follows

OnProblem = Callable[[KubeError | None], None]

_log = logging.getLogger("pilotfish.kube")


@dataclass(frozen=True)
class WatchEvent:
    """One event. The object of LISTED is a list (`items`, `metadata`): the complete state, so all others are gone."""

    type: str
    object: dict[str, Any]


@dataclass(frozen=True)
class WatchTiming:
    """How a watch is renewed, in seconds."""

    response: float = 300.0  # of one response; each one gets up to a half more, so that watches do not end together
    idle: float = 90.0  # without a byte, until the connection counts as broken; a bookmark comes about once a minute
    first_pause: float = 0.5  # after an error; doubled up to the longest, and shortened at random
    longest_pause: float = 30.0


class _MalformedError(KubeError):
    """A line of a watch that is not an event."""


class _Problems:
    """Passes each error on, and logs it unless it is the one logged last."""

    def __init__(self, on_problem: OnProblem | None) -> None:
        self._on_problem = on_problem
        self._shown = ""

    def add(self, error: KubeError) -> None:
        text = str(error)
        known = text == self._shown or isinstance(error, ExpiredError)  # history is lost every few minutes at most
        _log.log(logging.DEBUG if known else logging.WARNING, "%s", text)
        self._shown = text
        if self._on_problem is not None:
            self._on_problem(error)

    def end(self) -> None:
        if self._shown:
            _log.info("the watch continues after: %s", self._shown)
        self._shown = ""
        if self._on_problem is not None:
            self._on_problem(None)


async def watch(
    kube: Kube,
    resource: Resource,
    namespace: str = "",
    *,
    label_selector: str = "",
    field_selector: str = "",
    resource_version: str = "",
    trim: Trim | None = None,
    timing: WatchTiming = WatchTiming(),  # frozen
    on_problem: OnProblem | None = None,
) -> AsyncGenerator[WatchEvent, None]:
    """Yield the events of a namespace, or of all namespaces, without end.

    Without `resource_version`, the first event is LISTED; one more comes whenever the history was lost. No KubeError is
    raised: each is passed to `on_problem`, logged when it is a new one, and the request is repeated after a pause.
    `on_problem` gets None when a response is open again. `trim` is applied to each object.
    """
    selectors = select(label_selector, field_selector)
    problems = _Problems(on_problem)
    version = resource_version
    failures = 0
    while True:
        try:
            if not version:
                items, version = await list_all(
                    kube, resource, namespace, label_selector=label_selector, field_selector=field_selector, trim=trim
                )
                yield WatchEvent(LISTED, {"items": items, "metadata": {"resourceVersion": version}})
            opened, received = time.monotonic(), False
            async with aclosing(_one_response(kube, resource, namespace, selectors, version, timing)) as events:
                async for event in events:
                    if event is None:
                        problems.end()
                        continue
                    version, received, failures = _version(event), True, 0
                    yield WatchEvent(event.type, trim(event.object)) if trim and event.type != BOOKMARK else event
            if received or time.monotonic() - opened >= LONG_RESPONSE:
                failures = 0
                continue
            failures += 1
        except (ExpiredError, _MalformedError) as error:
            version = ""
            failures += 1
            problems.add(error)
        except KubeError as error:
            failures += 1
            problems.add(error)
            if error.retry_after is not None:
                await asyncio.sleep(min(error.retry_after, timing.longest_pause))
        await asyncio.sleep(_pause(failures, timing))


async def _one_response(
    kube: Kube, resource: Resource, namespace: str, selectors: list[tuple[str, str]], version: str, timing: WatchTiming
) -> AsyncGenerator[WatchEvent | None, None]:
    """Yield None when the response is open, and then its events. Raises KubeError."""
    path = resource.path(namespace)
    seconds = timing.response * random.uniform(1, 1.5)
    query = [
        *selectors,
        ("watch", "true"),
        ("allowWatchBookmarks", "true"),
        ("resourceVersion", version),
        ("timeoutSeconds", str(max(1, round(seconds)))),
    ]
    async with kube.stream(path, query=query, idle=timing.idle) as lines:
        yield None
        async for line in lines:
            yield parse_event(path, line)


def parse_event(path: str, line: bytes) -> WatchEvent:
    """Return the event of a line. Raises KubeError for any other line, and for an error that the server reports."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    kind = found.get("type") if isinstance(found, dict) else None
    body = found.get("object") if isinstance(found, dict) else None
    if isinstance(body, dict):
        if kind == "ERROR":
            raise error_of_status(f"watch {path}", body)
        event = WatchEvent(str(kind), body)
        if event.type in CHANGES | {BOOKMARK} and _version(event) and (event.type == BOOKMARK or _name(event)):
            return event
    raise _MalformedError(
        f"watch {path} failed: a line of {len(line):,} bytes is not a known event: type {quote_value(kind)}; "
        "the objects are listed again"
    )


def _version(event: WatchEvent) -> str:
    metadata = event.object.get("metadata")
    found = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""


def _name(event: WatchEvent) -> str:
    found = event.object["metadata"].get("name")
    return found if isinstance(found, str) else ""


def _pause(failures: int, timing: WatchTiming) -> float:
    """Return the seconds before the next request: full jitter below a bound that doubles with each failure."""
    bound: float = min(timing.longest_pause, timing.first_pause * 2 ** min(failures - 1, 16))
    return bound * random.uniform(0.5, 1)
