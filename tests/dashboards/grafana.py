"""A strict stand-in for Grafana's HTTP API: tokens, folders, and dashboards by uid, with the answers of Grafana 11.

Like Grafana, it checks title, uid, folder, version and name conflicts of a dashboard. In addition, it checks that the
SDK's models read and write the JSON without a difference.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dashboards.page import normal

Json = dict[str, Any]
Answer = tuple[int, Any]
EDITOR, VIEWER = "glsa_editor", "glsa_viewer"
DASHBOARD_KEYS = {"dashboard", "folderUid", "message", "overwrite"}


@dataclass
class Grafana:
    """The state of the stand-in. `prefix` is its path; `broken` answers every request, if it is set."""

    prefix: str = ""
    folders: dict[str, str] = field(default_factory=dict)  # uid to title
    stored: dict[str, Json] = field(default_factory=dict)  # uid to dashboard, with folderUid beside it
    provisioned: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)
    broken: tuple[int, str, bytes] | None = None  # status, content type or Location, body
    url: str = ""

    def answer(self, method: str, path: str, token: str, body: Json | None) -> Answer:
        """Return status and JSON of one request."""
        if not path.startswith(f"{self.prefix}/api/"):
            return 404, {"message": "Not found"}
        if token not in (EDITOR, VIEWER):
            return 401, {"message": "Invalid API key"}
        path = path.removeprefix(f"{self.prefix}/api")
        if method == "GET" and path == "/folders":
            return 200, [{"id": 1, "uid": uid, "title": title} for uid, title in self.folders.items()]
        if method == "GET" and (found := re.fullmatch(r"/dashboards/uid/([\w-]+)", path)):
            return self.get(found[1])
        if token == VIEWER:
            return 403, {"message": "You'll need additional permissions to perform this action."}
        if method == "POST" and path == "/folders":
            return self.create_folder(body or {})
        if method == "POST" and path == "/dashboards/db":
            return self.store(body or {})
        return 404, {"message": "Not found"}

    def get(self, uid: str) -> Answer:
        if uid not in self.stored:
            return 404, {"message": "Dashboard not found"}
        item = self.stored[uid]
        meta = {"folderUid": item["folderUid"], "provisioned": uid in self.provisioned, "slug": uid}
        return 200, {"dashboard": item["dashboard"], "meta": meta}

    def create_folder(self, body: Json) -> Answer:
        title = body.get("title")
        if set(body) - {"title", "uid", "parentUid", "description"} or not title:
            return 400, {"message": "folder title cannot be empty"}
        if title in self.folders.values():
            return 409, {"message": "a folder with the same name already exists in the current location"}
        uid = f"f{len(self.folders)}"
        self.folders[uid] = title
        return 200, {"id": 1, "uid": uid, "title": title, "url": f"{self.prefix}/dashboards/f/{uid}/x"}

    def store(self, body: Json) -> Answer:
        dashboard = body.get("dashboard")
        if set(body) - DASHBOARD_KEYS or not isinstance(dashboard, dict):
            return 400, {"message": "bad request data"}
        if not dashboard.get("title"):
            return 400, {"message": "Dashboard title cannot be empty"}
        uid = dashboard.get("uid") or ""
        if not re.fullmatch(r"[a-zA-Z0-9_-]{1,40}", uid):
            return 400, {"message": "uid contains illegal characters"}
        if dashboard.get("id") is not None:
            return 404, {"message": "Dashboard not found"}
        if normal(dashboard) != {key: value for key, value in dashboard.items() if key != "id"}:
            return 400, {"message": "the dashboard is none of the SDK's models"}
        folder = body.get("folderUid") or ""
        if folder and folder not in self.folders:
            return 400, {"message": "folder not found"}
        if uid in self.provisioned:
            return 400, {"message": "Cannot save provisioned dashboard"}
        old = self.stored.get(uid)
        if old and not body.get("overwrite"):
            return 412, {"status": "version-mismatch", "message": "The dashboard has been changed by someone else"}
        for other, item in self.stored.items():
            if other != uid and (item["folderUid"], item["dashboard"]["title"]) == (folder, dashboard["title"]):
                return 412, {"status": "name-exists", "message": "A dashboard with the same name already exists"}
        version = (old["dashboard"]["version"] if old else 0) + 1
        self.stored[uid] = {"dashboard": {**dashboard, "id": 7, "version": version}, "folderUid": folder}
        url = f"{self.prefix}/d/{uid}/slug"
        return 200, {"id": 7, "uid": uid, "url": url, "status": "success", "version": version, "slug": "slug"}


@contextmanager
def serving(grafana: Grafana, certificate: tuple[Path, Path] | None = None) -> Iterator[Grafana]:
    """Serve the stand-in until the block ends, with TLS if `certificate` (chain and key) is given; set its `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def respond(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            grafana.requests.append((self.command, urlsplit(self.path).path))
            if grafana.broken is not None:
                status, kind, body = grafana.broken
                self.reply(status, kind, body)
                return
            if raw and self.headers.get("Content-Type") != "application/json":
                self.reply(415, "application/json", b'{"message": "unsupported media type"}')
                return
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, found = grafana.answer(
                self.command, urlsplit(self.path).path, token, json.loads(raw) if raw else None
            )
            self.reply(status, "application/json", json.dumps(found).encode())

        def reply(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Location" if status in (301, 302) else "Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.respond()

        def do_POST(self) -> None:
            self.respond()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    grafana.url = f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_address[1]}{grafana.prefix}"
    try:
        yield grafana
    finally:
        server.shutdown()
        server.server_close()
