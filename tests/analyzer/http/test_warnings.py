"""What is wrong with the access to the admin address is a line of the log and a warning in /readyz and /report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilotfish.sidecar.analyzer import app
from pilotfish.sidecar.analyzer.http import access
from pilotfish.sidecar.errors import UsageError
from tests.analyzer.test_http import DOCUMENT, TOKEN, Served, served
from tests.support.waiting import eventually

BEARER = {"Authorization": f"Bearer {TOKEN}"}


async def warnings(here: Served, path: str) -> list[str]:
    found: list[str] = json.loads((await here.get(path, **BEARER))[1])["warnings"]
    return found


@pytest.mark.asyncio
async def test_an_address_open_to_others_without_a_token_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(access, "is_loopback", lambda _: False)
    async with served(tmp_path) as here:
        for path in ("/readyz", "/report"):
            (text,) = [text for text in await warnings(here, path) if "admin address" in text]
            assert "give --token-file, or a loopback address" in text
    assert sum("give --token-file" in record.getMessage() for record in caplog.records) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("content", "mode", "why"),
    [
        (None, 0o600, "No such file"),
        ("", 0o600, "holds 0 bytes"),
        (TOKEN, 0o666, "can be written by all users"),
        (TOKEN, 0o644, "all users of this machine can read"),
    ],
)
async def test_a_token_file_that_changes_for_the_worse_is_reported_until_it_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    content: str | None, mode: int, why: str,
) -> None:  # fmt: skip
    monkeypatch.setattr(app, "POLL_SECONDS", 0.02)
    token = tmp_path / "token"
    async with served(tmp_path, token=True) as here:
        assert not any("token" in text for text in here.app.report.warnings)
        token.unlink()
        if content is not None:
            token.write_text(content)
            token.chmod(mode)
        await eventually(lambda: any(why in text for text in here.app.report.warnings), what="the warning")
        assert any(why in text for text in await warnings(here, "/readyz"))
        assert (await here.get("/report", **BEARER))[0] == (200 if mode == 0o644 else 401)
        assert (await here.get("/metrics"))[0] == 200
        await eventually(lambda: any(why in record.getMessage() for record in caplog.records), what="the log line")
        token.write_text(TOKEN)
        token.chmod(0o400)
        await eventually(lambda: not any("token" in text for text in here.app.report.warnings), what="the end of it")
        assert (await here.get("/report", **BEARER))[0] == 200
    assert TOKEN not in caplog.text


@pytest.mark.asyncio
async def test_an_analyzer_that_starts_without_its_token_measures_and_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Path) -> str:
        raise UsageError("cannot read it")

    async with served(tmp_path, DOCUMENT, token=True) as here:
        assert here.app.report.state == "watching"
    monkeypatch.setattr(access, "read_token", unreadable)
    monkeypatch.setattr("pilotfish.sidecar.system.tokens.read_token", unreadable)
    async with served(tmp_path, DOCUMENT, token=True) as here:
        assert here.app.report.state == "watching"
        assert any("refuses all requests" in text for text in await warnings(here, "/readyz"))
        assert (await here.get("/report", **BEARER))[0] == 401
