"""Evidently's report on reference and recent rows, made by a child process with limits and without a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.report.command import evidently
from pilotfish.sidecar.report.command.comparison import ComparisonJob, compare
from pilotfish.sidecar.report.command.evidently import EvidentlyError, EvidentlyOptions, fetch, write
from tests.support.extras import extras_python
from tests.support.waiting import patient

LIMITS: dict[str, Any] = {"memory": 2 << 30, "seconds": 300}
LINE = '{"at":1.0,"inputs":{"a":%s,"name":"x"},"outputs":{"y":0.5}}\n'


class Sidecar(BaseHTTPRequestHandler):
    """Answers GET /rows if the request has the token."""

    def do_GET(self) -> None:
        allowed = self.headers.get("Authorization") == "Bearer token"
        body = (LINE % 1.5).encode() if allowed else b'{"error": "this needs the bearer token"}'
        self.send_response(200 if allowed else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Print nothing."""


@pytest.fixture
def admin() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Sidecar) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def reference(folder: Path) -> Path:
    path = folder / "reference.csv"
    random = np.random.default_rng(1)
    pairs = zip(random.normal(size=2000), random.choice(list("xy"), 2000), strict=True)
    rows = (f"{a:.4f},{c},secret-{c},1" for a, c in pairs)
    path.write_text("a,c,card,old\n" + "\n".join(rows) + "\n")
    return path


def recent(folder: Path) -> Path:
    path = folder / "recent.jsonl"
    random = np.random.default_rng(2)
    rows = [
        {"at": 1.0, "inputs": {"a": a, "c": c, "card": "secret-z", "gone": None}, "outputs": {"y": 1}}
        for a, c in zip(random.normal(2, 1, 500).tolist(), random.choice(list("xz"), 500).tolist(), strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_are_fetched_with_the_token(tmp_path: Path, admin: str) -> None:
    token, out = tmp_path / "token", tmp_path / "rows"
    token.write_text("token\n")
    fetch(admin, token, out)
    assert out.read_text() == LINE % 1.5
    with pytest.raises(EvidentlyError, match=r"status 401.*bearer token"):
        fetch(admin, None, out)


def test_a_wrong_address_or_token_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidentlyError, match="check the --admin address"):
        fetch("127.0.0.1:1", None, tmp_path / "rows")
    with pytest.raises(UsageError, match="token file"):
        fetch("127.0.0.1:1", tmp_path / "none", tmp_path / "rows")


def test_more_rows_than_the_limit_are_refused(tmp_path: Path, admin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("token")
    monkeypatch.setattr(evidently, "MAX_ROW_BYTES", 10)
    with pytest.raises(EvidentlyError, match="store fewer"):
        fetch(admin, tmp_path / "token", tmp_path / "rows")


@pytest.mark.parametrize(
    ("line", "message"),
    [("{}", "line 1 is not a row"), ('{"at":1.0,"inputs":{"other":1},"outputs":{}}', "share no column")],
)
def test_rows_that_cannot_be_compared_are_an_error(tmp_path: Path, line: str, message: str) -> None:
    rows = tmp_path / "rows"
    rows.write_text(line + "\n")
    with pytest.raises(Exception, match=message):
        compare(ComparisonJob(reference=str(reference(tmp_path)), rows=str(rows), out=str(tmp_path / "out.html")))


@pytest.mark.long
def test_the_error_without_evidently_says_how_to_install_it(tmp_path: Path) -> None:
    with pytest.raises(EvidentlyError, match=r"pip install 'pilotfish\[evidently\]'"):
        write(
            EvidentlyOptions(out=tmp_path / "out.html", reference=reference(tmp_path), rows=recent(tmp_path), **LIMITS)
        )


def run(folder: Path, **changes: int) -> subprocess.CompletedProcess[str]:
    code = f"""
import json, sys
from pathlib import Path
from pilotfish.sidecar.report.command.evidently import EvidentlyOptions, write
paths = dict(out=Path(r"{folder}/out.html"), reference=Path(r"{reference(folder)}"), rows=Path(r"{recent(folder)}"))
found = write(EvidentlyOptions(**paths, mask=("card",), **{LIMITS | changes!r}))
print(json.dumps([found.columns, found.reference_rows, found.rows, found.left_out]))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path("build/tree").resolve()), "HOME": str(folder)}
    return subprocess.run(
        [extras_python(), "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=patient(55)
    )


@pytest.mark.real
def test_evidently_writes_one_self_contained_page_without_the_masked_columns(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    columns, before, after, left_out = json.loads(done.stdout)
    assert (columns, before, after) == (2, 2000, 500)
    assert left_out == {
        "old": "not in the rows",
        "gone": "not in the reference",
        "y": "not in the reference",
        "card": "masked",
    }
    page = (tmp_path / "out.html").read_text()
    assert "secret-" not in page
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?:", page)
    assert (tmp_path / "out.html").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / ".config").exists()  # its telemetry would store an id there


@pytest.mark.real
@pytest.mark.parametrize(
    ("changes", "message"), [({"memory": 200 << 20}, "memory"), ({"seconds": 1}, "took more than")]
)
def test_memory_and_time_of_the_child_process_are_limited(
    tmp_path: Path, changes: dict[str, int], message: str
) -> None:
    done = run(tmp_path, **changes)
    assert done.returncode != 0
    assert message in done.stderr
    assert not (tmp_path / "out.html").exists()
