"""The HTTP side of the API server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from aiohttp import web

from pilotfish.sidecar.kube.client import Kube
from tests.support.apiserver import patches
from tests.support.apiserver.faults import Call, Fault, Faults
from tests.support.apiserver.problems import Problem
from tests.support.apiserver.scales import scale_of, scaled, written
from tests.support.apiserver.selectors import selector
from tests.support.apiserver.storage import Kind, Object, Storage
from tests.support.apiserver.tokens import ADMIN, Tokens, User
from tests.support.apiserver.watches import OpenWatch, stream
from tests.support.ports import free_port


@dataclass(frozen=True)
class Target:
    """What the path of a request names."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def target_of(path: str) -> Target:
    """Return the target of a path; raise Problem 404."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise Problem(404, "NotFound", "the server could not find the requested resource")
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    rest += [""] * (3 - len(rest))
    return Target(Kind(group, version, rest[0]), namespace, rest[1], rest[2])


@dataclass(eq=False)
class ApiServer:
    """An API server on a free port; use it as `async with ApiServer() as api`.

    storage      the objects
    tokens       the users; TokenReview reads them, too
    faults       the faults in force
    calls        every request so far
    watches      the watches that are open
    missing      groups of the API whose kinds are not installed
    allows       whether a user may make a call, as RBAC would decide
    admits       what admission makes of an object that is created
    reviews      the answer to the attributes of a SubjectAccessReview
    proxied      the text that a pod or Service answers at the path of its proxy; 503 where there is none
    version      of Kubernetes
    bookmark     seconds between two bookmarks of a watch
    """

    storage: Storage = field(default_factory=Storage)
    tokens: Tokens = field(default_factory=Tokens)
    faults: Faults = field(default_factory=Faults)
    calls: list[Call] = field(default_factory=list)
    watches: set[OpenWatch] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    allows: Callable[[User, Call], bool] = lambda user, call: True
    admits: Callable[[Object], Object] = lambda created: created
    reviews: Callable[[Object], bool] = lambda attributes: True
    proxied: dict[str, str] = field(default_factory=dict)
    version: str = "v1.36.0"
    bookmark: float = 60.0
    port: int = 0
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen, on the same port as before if it was stopped; the objects are kept."""
        self.port = self.port or free_port()
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True).start()

    async def stop(self) -> None:
        """Close all connections, and listen no longer."""
        runner, self._runner = self._runner, None
        for watch in list(self.watches):
            watch.close()
        for fault in self.faults:
            fault.released.set()
        if runner:
            await runner.cleanup()

    def kubeconfig(self, folder: Path, token: str = ADMIN) -> Path:
        """Write a kubeconfig for a token, and return its path."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "test", "user": {"token": token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }
        path = folder / f"kubeconfig-{self.port}"
        path.write_text(yaml.safe_dump(config))
        return path

    async def connect(self, token: str = ADMIN) -> Kube:
        """Return a connection of Pilotfish's client with this token; the caller closes it."""

        async def load(configuration: Any) -> None:
            configuration.host = f"http://127.0.0.1:{self.port}"
            configuration.api_key = {"BearerToken": f"Bearer {token}"}

        return await Kube.load(load)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        content = await request.read()
        try:
            user = self.tokens.user(request.headers.get("Authorization", ""))
            call = Call(
                request.method, request.path, request.query, json.loads(content) if content else None, user.name
            )
            self.calls.append(call)
            fault = self.faults.take(call)
            if fault and (early := await self._fail(request, fault, "before")):
                return early
            if request.path == "/version":
                return web.json_response({"gitVersion": self.version})
            target = self._allowed(user, call)
            if target.subresource == "proxy":
                return self._proxy(call.path)
            if call.watches:
                return await self._watch(request, call, target, fault)
            status, answer = self._answer(call, target, request.content_type)
            if fault and (late := await self._fail(request, fault, "after")):
                return late
            return web.json_response(answer, status=status)
        except Problem as problem:
            return _refusal(problem)

    def _allowed(self, user: User, call: Call) -> Target:
        if not self.allows(user, call):
            raise Problem(403, "Forbidden", f'User "{user.name}" cannot {call.method} {call.path}')
        target = target_of(call.path)
        if target.kind.group in self.missing:
            raise Problem(404, "NotFound", "the server could not find the requested resource")
        return target

    def _proxy(self, path: str) -> web.Response:
        if path not in self.proxied:
            raise Problem(503, "ServiceUnavailable", "error trying to reach service: connection refused")
        return web.Response(text=self.proxied[path])

    @staticmethod
    async def _fail(request: web.Request, fault: Fault, when: str) -> web.StreamResponse | None:
        """Do what a fault wants before or after the request is carried out; return the response if there is one."""
        if when == "before" and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.hang == when:
            await fault.released.wait()
        if fault.drop == when:
            assert request.transport
            request.transport.abort()
            return web.Response()
        if when == "before" and fault.raw is not None and not fault.silent:
            return web.Response(body=fault.raw, content_type="application/json")
        if when == "before" and fault.status:
            raise Problem(fault.status, fault.reason, fault.message, fault.retry_after)
        return None

    async def _watch(self, request: web.Request, call: Call, target: Target, fault: Fault | None) -> web.StreamResponse:
        watch = OpenWatch(silent=bool(fault and fault.silent))
        self.watches.add(watch)
        try:
            matches = selector(call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
            return await stream(
                request, self.storage, watch, target.kind, target.namespace, target.name, matches, self.bookmark
            )
        finally:
            self.watches.discard(watch)

    def _answer(self, call: Call, target: Target, content_type: str) -> tuple[int, Object]:
        kind, namespace, name = target.kind, target.namespace, target.name
        if target.subresource == "scale":
            return 200, self._scale(call, target)
        if call.method == "GET":
            return 200, self.storage.get(kind, namespace, name) if name else self._list(call, target)
        if call.method == "POST" and kind.plural == "tokenreviews":
            return 201, self.tokens.review(call.body)
        if call.method == "POST" and (kind.plural, target.subresource) == ("serviceaccounts", "token"):
            return 201, self.tokens.issue(namespace, name, call.body)
        if call.method == "POST" and kind.plural == "subjectaccessreviews":
            return 201, {**call.body, "status": {"allowed": self.reviews(call.body["spec"]["resourceAttributes"])}}
        if call.method == "POST" and not name:
            created = self.admits(call.body)
            return 201, created if "dryRun" in call.query else self.storage.create(kind, namespace, created)
        if call.method == "PUT" and name:
            return 200, self._update(call, target, call.body)
        if call.method == "PATCH" and name:
            return self._patch(call, target, content_type)
        if call.method == "DELETE" and name:
            uid = ((call.body or {}).get("preconditions") or {}).get("uid", "")
            return 200, self.storage.delete(kind, namespace, name, uid)
        raise Problem(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    def _list(self, call: Call, target: Target) -> Object:
        matches = selector(call.query.get("labelSelector", ""), call.query.get("fieldSelector", ""))
        found = [item for item in self.storage.all(target.kind, target.namespace) if matches(item)]
        metadata: Object = {"resourceVersion": str(self.storage.revision)}
        limit, start = int(call.query.get("limit", "0")), int(call.query.get("continue", "0:0").split(":")[1])
        if start and int(call.query["continue"].split(":")[0]) < self.storage.compacted:
            raise Problem(410, "Expired", "The provided continue parameter is too old")
        if limit and len(found) > start + limit:
            metadata["continue"] = f"{self.storage.revision}:{start + limit}"
        found = found[start : start + limit] if limit else found
        version = f"{target.kind.group}/{target.kind.version}" if target.kind.group else target.kind.version
        return {"apiVersion": version, "kind": "List", "metadata": metadata, "items": found}

    def _patch(self, call: Call, target: Target, content_type: str) -> tuple[int, Object]:
        kind, namespace, name = target.kind, target.namespace, target.name
        if content_type == "application/apply-patch+yaml":
            return self._apply(call, target)
        before = self.storage.get(kind, namespace, name)
        if content_type == "application/json-patch+json":
            after = patches.json_patch(before, call.body)
        elif content_type == "application/merge-patch+json":
            after = patches.merge_patch(before, call.body)
        else:
            raise Problem(
                415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {content_type}"
            )
        return 200, self._update(call, target, after)

    def _scale(self, call: Call, target: Target) -> Object:
        """Return the scale of an object, after it was replaced by a PUT."""
        found = self.storage.get(target.kind, target.namespace, target.name)
        if call.method == "PUT":
            found = self._update(call, replace(target, subresource=""), scaled(found, call.body), "scale")
        elif call.method != "GET":
            raise Problem(405, "MethodNotAllowed", "the server does not allow this method on the requested resource")
        return scale_of(found, target.kind.plural)

    def _update(self, call: Call, target: Target, after: Object, through: str = "") -> Object:
        """Replace an object, and record who wrote its replicas."""
        kind, namespace, name = target.kind, target.namespace, target.name
        if not target.subresource:
            before = self.storage.get(kind, namespace, name)
            after = written(before, after, call.query.get("fieldManager", call.user), subresource=through)
        return self.storage.update(kind, namespace, name, after, target.subresource)

    def _apply(self, call: Call, target: Target) -> tuple[int, Object]:
        key = (target.kind, target.namespace, target.name)
        exists = key in self.storage.objects
        before = self.storage.get(*key) if exists else {}
        owners = self.storage.owners.get(key, {})
        force, manager = call.query.get("force") == "true", call.query.get("fieldManager", "")
        if not manager:
            raise Problem(
                422, "Invalid", "PatchOptions is invalid: fieldManager: Required value: is required for apply patch"
            )
        after = written(before, patches.apply(before, call.body, manager, owners, force), manager, "Apply")
        done = self.storage.update(*key, after, target.subresource) if exists else self.storage.create(*key[:2], after)
        self.storage.owners[key] = owners
        return 200 if exists else 201, done


def _refusal(problem: Problem) -> web.Response:
    headers = {"Retry-After": str(problem.retry_after)} if problem.retry_after is not None else {}
    with suppress(ValueError):
        return web.json_response(problem.status(), status=problem.code, headers=headers)
    raise AssertionError(f"not an HTTP status: {problem.code}")
