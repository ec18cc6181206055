"""A client of a language server: as much of the protocol as go-to-definition and find-references need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SERVER = Path(sys.executable).with_name("basedpyright-langserver")


class LanguageServer:
    """A conversation with basedpyright on the project at `root`."""

    def __init__(self, process: subprocess.Popen[bytes], root: Path) -> None:
        self._process = process
        self._root = root
        self._last = 0
        self._opened: set[Path] = set()
        folder = {"uri": root.as_uri(), "name": root.name}
        workspace = {"configuration": True, "workspaceFolders": True}
        self.ask(
            "initialize",
            {"processId": os.getpid(), "workspaceFolders": [folder], "capabilities": {"workspace": workspace}},
        )
        self._send({"method": "initialized", "params": {}})

    def definitions(self, path: Path, name: str) -> set[Path]:
        """Return the files that define `name`, asked at its first occurrence in `path`."""
        return self._places("textDocument/definition", path, name)

    def references(self, path: Path, name: str) -> set[Path]:
        """Return the files that name what `name` stands for at its first occurrence in `path`."""
        return self._places("textDocument/references", path, name, context={"includeDeclaration": True})

    def ask(self, method: str, params: dict[str, Any] | None) -> Any:
        """Send a request and return its result; requests of the server are answered meanwhile."""
        self._last += 1
        self._send({"id": self._last, "method": method, "params": params})
        while True:
            message = self._receive()
            if "method" in message and "id" in message:
                items = (message.get("params") or {}).get("items", [])
                self._send({"id": message["id"], "result": [{} for _ in items]})
            elif message.get("id") == self._last:
                assert "error" not in message, message["error"]
                return message["result"]

    def _places(self, method: str, path: Path, name: str, **more: object) -> set[Path]:
        text = path.read_text()
        document = {"uri": path.as_uri(), "languageId": "python", "version": 1, "text": text}
        if path not in self._opened:
            self._opened.add(path)
            self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        found = re.search(rf"\b{name}\b", text)
        assert found, f"{path} does not name {name}"
        before = text[: found.start()]
        position = {"line": before.count("\n"), "character": len(before) - (before.rfind("\n") + 1)}
        places = self.ask(method, {"textDocument": {"uri": path.as_uri()}, "position": position, **more})
        return {Path(unquote(urlsplit(place["uri"]).path)) for place in places or []}

    def _send(self, message: dict[str, object]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout
        length = 0
        while line := self._process.stdout.readline().strip():
            key, _, value = line.partition(b":")
            length = int(value) if key.lower() == b"content-length" else length
        body = self._process.stdout.read(length)
        assert body, "the language server ended"
        message: dict[str, Any] = json.loads(body)
        return message


@contextmanager
def language_server(root: Path) -> Iterator[LanguageServer]:
    """Run basedpyright's language server on `root` for as long as the block lasts."""
    with subprocess.Popen(
        [SERVER, "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=root
    ) as process:
        try:
            yield LanguageServer(process, root)
        finally:
            process.kill()
