"""Responses in JSON, for people too: indented, with a line end."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web


def json_response(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a response with `body` as JSON."""
    raw = msgspec.json.format(msgspec.json.encode(body), indent=1) + b"\n"
    return web.Response(body=raw, status=status, headers=headers, content_type="application/json", charset="utf-8")
