"""A view that fails is logged with its place, and what clients do wrong is not."""

from __future__ import annotations

import asyncio
import errno
import logging

import aiohttp
import pytest
from aiohttp import web

from pilotfish.sidecar.serving.server import BoundedServer

BODY = "a body that must not be logged"


async def answered(error: Exception) -> int:
    """Return the status of a request whose handler raises `error`."""

    async def fail(request: web.BaseRequest) -> web.Response:
        await request.read()
        raise error

    server = BoundedServer(fail)
    await server.start("127.0.0.1:0")
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"http://127.0.0.1:{server.port}/x", data=BODY) as response,
        ):
            return response.status
    finally:
        await server.stop()


def test_a_failed_view_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(answered(KeyError(BODY))) == 500
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "a request to the admin address failed")
    assert record.exc_info is not None


def test_a_request_without_memory_is_refused_and_logged_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(answered(MemoryError(BODY))) == 503
    (record,) = caplog.records
    assert "memory ran out at test_admin_failures.py" in record.getMessage()
    assert BODY not in record.getMessage()


def test_an_error_of_a_file_is_no_fault_of_the_client(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(answered(OSError(errno.EIO, BODY))) == 500
    (record,) = caplog.records
    assert record.getMessage() == "a request to the admin address failed"


def test_a_client_that_leaves_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(answered(ConnectionResetError(BODY))) == 500
    assert caplog.records == []


def test_a_refusal_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    assert asyncio.run(answered(web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2))) == 413
    assert caplog.records == []
