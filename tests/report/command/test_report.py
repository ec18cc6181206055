"""`pilotfish report` shows a running sidecar or a saved file as text, JSON and a page."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import msgspec
import pytest

from pilotfish.sidecar.cli import main
from tests.analyzer.test_http import served
from tests.report.pages.made import both, check


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    made, line = both()
    path = tmp_path / "saved.json"
    path.write_bytes(msgspec.json.encode({"report": made, "windows": line}))
    return path


def test_a_saved_report_becomes_text_json_and_a_page(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--file", str(saved)]) == 0
    assert "DRIFT of features" in capsys.readouterr().out
    assert main(["report", "--file", str(saved), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(saved.read_bytes())
    assert main(["report", "--file", str(saved), "--html", str(tmp_path / "page.html")]) == 0
    check((tmp_path / "page.html").read_text())


def test_a_file_with_the_body_of_report_alone_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(both()[0]))
    assert main(["report", "--file", str(path), "--html", str(tmp_path / "page.html")]) == 0
    check((tmp_path / "page.html").read_text())


@pytest.mark.asyncio
async def test_a_running_sidecar_is_queried_with_its_token(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(tmp_path, token=True) as here:
        admin = here.base.removeprefix("http://")
        page, token = tmp_path / "page.html", str(tmp_path / "token")
        assert await asyncio.to_thread(main, ["report", "--admin", admin, "--html", str(page)]) == 2
        assert "--token-file" in capsys.readouterr().err
        asked = ["report", "--admin", admin, "--token-file", token]
        assert await asyncio.to_thread(main, [*asked, "--html", str(page)]) == 0
        check(page.read_text())
        assert await asyncio.to_thread(main, [*asked, "--json"]) == 0
        both_bodies = json.loads(capsys.readouterr().out)
        assert both_bodies["report"]["state"] == "watching"
        assert both_bodies["windows"]["spans"] == []
        assert {trend["name"] for trend in both_bodies["windows"]["features"]} >= {"amount", "color"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a report"),
        ('{"state": 3}', "not a report"),
        ("[]", "not a report"),
        ('{"report": {}}', "not a report"),
        ("\x00", "not a report"),
    ],
)
def test_a_file_that_is_not_a_report_is_refused(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(content)
    assert main(["report", "--file", str(path)]) == 2
    assert message in capsys.readouterr().err
    assert main(["report", "--file", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize("admin", ["here", "h:x", "u@h:1", "h:1/path", "", "h:99999", "[::1"])
def test_an_invalid_address_is_a_usage_error(admin: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--admin", admin]) == 2
    assert "HOST:PORT" in capsys.readouterr().err


def test_a_sidecar_that_does_not_answer_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--admin", "127.0.0.1:1"]) == 2
    assert "no answer" in capsys.readouterr().err


@pytest.mark.parametrize("token", [b"", b"a\nb", b"x" * 5000, b"\x00"])
def test_a_token_that_no_header_can_carry_is_refused(
    token: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "token").write_bytes(token)
    assert main(["report", "--token-file", str(tmp_path / "token")]) == 2
    assert "token file" in capsys.readouterr().err
