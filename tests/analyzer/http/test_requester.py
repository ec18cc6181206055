"""Who asked and why: only text that a person can read is recorded, and a repetition does not fill the audit log."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from pilotfish.sidecar.analyzer.audit import AUDIT_FILE
from tests.analyzer.made import profile
from tests.analyzer.test_http import served

BAD = ["\x1b[31mred", "a\nb", "\u202egpj.exe", "\x9b2J", "a\x00", "\ufeff", "x" * 501]


def audited(folder: Path) -> int:
    """Return the number of lines in the audit log."""
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob(AUDIT_FILE))


@pytest.mark.asyncio
async def test_a_text_that_cannot_be_shown_is_refused(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        raw = profile(1).to_bytes()
        for name in ("by", "reason"):
            for text in BAD:
                status, answer = await here.send("PUT", f"/profile?{name}={quote(text)}", raw)
                assert (status, "Traceback" in str(answer)) == (400, False), (name, text)
            assert (await here.send("PUT", f"/profile?{name}=a&{name}=b", raw))[0] == 400
        for text in BAD:
            body = msgspec.json.encode({"by": text, "reason": "why", "rows": 2000})
            assert (await here.send("POST", "/rebaseline", body))[0] == 400
        assert audited(tmp_path) == 0
        assert (await here.send("PUT", f"/profile?by={quote('Zoë 李')}&reason=new", raw))[0] == 200


@pytest.mark.asyncio
async def test_the_profile_in_force_sent_again_adds_no_audit_line(tmp_path: Path) -> None:
    async with served(tmp_path) as here:
        for seed in (1, 1, 1, 2, 2, 1):
            assert (await here.send("PUT", "/profile?by=ann", profile(seed).to_bytes()))[0] == 200
        assert audited(tmp_path) == 3
