"""`pilotfish simulate` as a user runs it, with the example of the documentation."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from pilotfish.sidecar import cli
from tests.simulate.test_prometheus import answer, serving
from tests.support.waiting import patient

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/scaling"
MONITOR = EXAMPLE / "monitor.yaml"
HOUR = "time,requests_per_second,concurrency\n" + "".join(
    f"{150 * at},{20 + at % 30},{4 + at % 6}\n" for at in range(24)
)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "load.csv"
    path.write_text(HOUR)
    return path


def simulate(*words: object) -> int:
    return cli.main(["simulate", "--monitor", str(MONITOR), *map(str, words)])


@pytest.mark.long
@pytest.mark.parametrize(
    "command", re.findall(r"^pilotfish simulate.*$", (EXAMPLE / "README.md").read_text(), re.MULTILINE)
)
def test_the_commands_of_the_example_work(command: str, tmp_path: Path) -> None:
    for file in EXAMPLE.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    words = [sys.executable, "-m", "pilotfish.sidecar.cli", *shlex.split(command)[1:]]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=patient(50), check=False)
    assert done.returncode == 0, done.stderr
    assert "SLO minutes missed" in done.stdout
    assert re.search(r"^this document +2 to \d+", done.stdout, re.MULTILINE)
    assert re.search(r"^HPA, default behavior +2 to \d+", done.stdout, re.MULTILINE)
    assert "gaps: 1 gap" in done.stdout
    for made in re.findall(r"\S+\.(?:html|png)", command):
        assert (tmp_path / made).stat().st_size > 10_000


def test_the_same_trace_gives_the_same_figures(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for seed in (0, 0, 1):
        assert simulate("--trace", trace, "--json", "--seed", seed) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]
    first, other = found[0]["policies"], found[2]["policies"]
    assert [policy["name"] for policy in first] == ["this document", "HPA, default behavior"]
    assert first[0]["judged_minutes"] == 58
    assert first[0]["requests"] != other[0]["requests"]


def test_the_load_can_come_from_prometheus_and_from_its_saved_response(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = json.dumps(answer([[150.0 * at, str(20 + at % 30)] for at in range(24)]))
    saved = tmp_path / "range.json"
    saved.write_text(body, encoding="utf-8-sig")
    with serving(200, body.encode()) as (url, seen):
        assert simulate("--prometheus", url, "--last", "1h", "--service-time", "200ms", "--json") == 0
    queried = json.loads(capsys.readouterr().out)
    assert simulate("--trace", saved, "--service-time", "200ms", "--json") == 0
    assert json.loads(capsys.readouterr().out) == queried
    ((_, form),) = seen
    assert float(form["end"][0]) - float(form["start"][0]) == 3600


def test_the_page_holds_its_charts_and_asks_for_nothing_else(trace: Path, tmp_path: Path) -> None:
    page = tmp_path / "out.html"
    assert simulate("--trace", trace, "--html", page) == 0
    text = page.read_text()
    assert text.count('<svg class="chart" viewBox="0 0 1080') == 3
    assert "script" not in text
    assert re.findall(r"(?:src|href)=", text) == []


@pytest.mark.long
def test_the_picture_is_a_png(trace: Path, tmp_path: Path) -> None:
    picture = tmp_path / "out.png"
    assert simulate("--trace", trace, "--png", picture) == 0
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")


PLAIN = "time,requests_per_second\n0,5\n900,5\n"


@pytest.mark.parametrize(
    ("rows", "words", "told"),
    [
        (PLAIN, [], "the service time is not known"),
        ("time,requests_per_second,latency\n0,5,0\n900,5,0\n", [], "`latency` is never positive"),
        (PLAIN, ["--service-time", "soon"], "--service-time 'soon'"),
        (PLAIN, ["--service-time", "5s"], "no number of replicas meets it"),
        (PLAIN, ["--service-time", "50ms", "--concurrency-limit", "-1"], "give --concurrency-limit"),
        (PLAIN, ["--service-time", "50ms", "--replicas", "-1"], "--replicas"),
        (PLAIN, ["--service-time", "50ms", "--replicas", "21"], "--replicas"),
        (PLAIN, ["--service-time", "50ms", "--seed", "-1"], "--seed"),
        (PLAIN, ["--service-time", "50ms", "--html", "/nowhere/out.html"], "/nowhere/out.html"),
        ("time,requests_per_second\n0,5\n900,x\n", ["--service-time", "50ms"], "line 3"),
        ("{}", ["--service-time", "50ms"], "status ''"),
    ],
)
def test_what_cannot_be_simulated_is_one_line_with_a_remedy(
    rows: str, words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "load.csv").write_text(rows)
    assert simulate("--trace", tmp_path / "load.csv", *words) == cli.USAGE_STATUS
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("scaling", "told"),
    [
        ("", "no spec.scaling"),
        ("scaling: {maxReplicas: 3, signals: [{type: memory, targetUtilization: 70}]}", "no signal that a load trace"),
        ("scaling: {maxReplicas: 3, signals: [{type: concurrency, target: 3}]}", "give --latency-target"),
        (
            "scaling: {maxReplicas: 3, signals: [{type: requestRate, target: 3}, {type: latency, target: 1s}]}",
            "give --concurrency-limit",
        ),
    ],
)
def test_a_document_that_cannot_be_simulated_is_one_line_with_a_remedy(
    scaling: str, told: str, trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = MONITOR.read_text().partition("  scaling:")[0]
    (tmp_path / "m.yaml").write_text(f"{head}  {scaling}\n")
    assert cli.main(["simulate", "--monitor", str(tmp_path / "m.yaml"), "--trace", str(trace)]) == cli.USAGE_STATUS
    said = capsys.readouterr().err
    assert told in said
    assert said.count("\n") == 1


def test_signals_that_a_trace_does_not_determine_are_named(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = MONITOR.read_text().replace("signals:\n", "signals:\n      - {type: memory, targetUtilization: 70}\n")
    (tmp_path / "m.yaml").write_text(more)
    assert cli.main(["simulate", "--monitor", str(tmp_path / "m.yaml"), "--trace", str(trace)]) == 0
    assert "not simulated, because a load trace does not determine them: the signals memory" in capsys.readouterr().out
