"""`pilotfish replay`: alarms, ticks, output and errors."""

import json
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.detection.replay import tick_spans_by_rows, tick_spans_by_time
from pilotfish.sidecar.cli import main
from tests.report.pages.made import check

ROWS, CHANGE = 6000, 4000


def table(path: Path, rows: int, *, change: int | None = None, seed: int = 1) -> Path:
    random = np.random.default_rng(seed)
    age, income, answer = random.normal(40, 10, rows), random.exponential(1.0, rows), random.normal(size=rows)
    if change is not None:
        income[change:] *= 1000
    lines = ["at,age,income,answer"]
    for row in range(rows):
        at = datetime.fromtimestamp(1_767_225_600 + row, UTC).isoformat()
        lines.append(f"{at},{age[row]:.4f},{income[row]:.5f},{answer[row]:.4f}")
    path.write_text("\n".join(lines))
    return path


@cache
def profile_of_rows() -> bytes:
    """Return the profile that the command builds of 8,000 rows; built once in a process."""
    with TemporaryDirectory() as folder:
        data, out = table(Path(folder) / "reference.csv", 8000), Path(folder) / "profile.json"
        options = ("--prediction", "answer", "--exclude", "at", "--exchangeable", "--out", str(out))
        assert main(["profile", "build", str(data), *options]) == 0
        return out.read_bytes()


@pytest.fixture
def profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    out = tmp_path / "profile.json"
    out.write_bytes(profile_of_rows())
    capsys.readouterr()
    return str(out)


def events(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict]:
    capsys.readouterr()
    assert main(["replay", *arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_rows_like_the_reference_raise_no_alarm(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "quiet.csv", ROWS, seed=2)
    (summary,) = events(capsys, str(data), "--profile", profile, "--rows-per-tick", "20")
    assert (summary["event"], summary["rows"], summary["ticks"], summary["alarms"]) == ("summary", ROWS, 300, 0)


def test_a_change_of_units_is_found_where_it_begins(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "drift.csv", ROWS, change=CHANGE, seed=3)
    alarm, summary = events(capsys, str(data), "--profile", profile, "--rows-per-tick", "20")
    assert (alarm["event"], alarm["family"], alarm["features"][0]["name"]) == ("alarm", "features", "income")
    assert CHANGE < alarm["row"] <= CHANGE + 60
    assert alarm["onset_row"] == CHANGE
    assert summary["alarms"] == 1


def test_times_determine_the_ticks_in_any_order_of_rows(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "drift.csv", ROWS, change=CHANGE, seed=3)
    header, *lines = data.read_text().splitlines()
    data.write_text("\n".join([header, *np.random.default_rng(0).permutation(lines)]))
    alarm, summary = events(capsys, str(data), "--profile", profile, "--time", "at", "--tick", "60s")
    assert CHANGE < alarm["row"] <= CHANGE + 120
    assert alarm["time"].startswith("2026-01-01T01:0")
    assert summary["ticks"] == 100


@pytest.mark.long
def test_ticks_that_do_not_fit_the_reference_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = table(tmp_path / "reference.csv", ROWS), str(tmp_path / "timed.json")
    assert main(["profile", "build", str(data), "--prediction", "answer", "--time", "at", "--out", out]) == 0
    summary = events(capsys, str(data), "--profile", out, "--time", "at", "--tick", "1h")[-1]
    assert ["measured over at most" in warning for warning in summary["warnings"]] == [True]
    assert main(["replay", str(data), "--profile", out, "--time", "at", "--tick", "30s"]) == 0
    assert "warning: a tick is 30 s" in capsys.readouterr().out


def test_the_text_names_the_changed_feature_and_the_budget(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = table(tmp_path / "drift.csv", ROWS, change=CHANGE, seed=3)
    assert main(["replay", str(data), "--profile", profile, "--rows-per-tick", "20", "--false-alarms", "2/7d"]) == 0
    out = capsys.readouterr().out
    assert "ALARM  features" in out
    assert "income rose: mean 1 -> " in out
    assert "in the last 20 rows (since about row 4,000); its evidence alone is " in out
    assert "one false alarm in 5,040 ticks of 60s" in out


def test_a_page_of_the_whole_run_shows_the_alarm_and_both_histograms(profile: str, tmp_path: Path) -> None:
    data, out = table(tmp_path / "drift.csv", ROWS, change=CHANGE, seed=3), tmp_path / "page.html"
    assert main(["replay", str(data), "--profile", profile, "--rows-per-tick", "20", "--html", str(out)]) == 0
    text = out.read_text()
    check(text)
    for piece in ("a replay of drift.csv", 'class="mark"', "Drifted features", "income", "since row", f"{ROWS:,}"):
        assert piece.replace(",", "\u202f") in text, piece


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--false-alarms", "often"), "N/DURATION"),
        (("--false-alarms", "0/30d"), "N/DURATION"),
        (("--tick", "60"), "--tick"),
        (("--tolerance", "7"), "between 0 and 1"),
        (("--rows-per-tick", "0.5"), "1 or more"),
        (("--time", "at", "--rows-per-tick", "5"), "contradict"),
        (("--time", "nowhere"), "no such column"),
    ],
)
def test_unusable_options_are_refused_with_the_remedy(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    data = table(tmp_path / "quiet.csv", 50)
    assert main(["replay", str(data), "--profile", profile, *arguments]) != 0
    assert message in capsys.readouterr().err


def test_rows_without_any_known_column_are_refused(
    profile: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.csv").write_text("x,y\n1,2\n")
    assert main(["replay", str(tmp_path / "other.csv"), "--profile", profile]) != 0
    assert "none of the profile's columns" in capsys.readouterr().err


@given(st.integers(0, 500), st.floats(1, 50))
def test_even_ticks_hold_each_row_once(rows: int, rows_per_tick: float) -> None:
    spans = tick_spans_by_rows(rows, rows_per_tick)
    assert [row for span in spans for row in range(span.start, span.stop)] == list(range(rows))


@given(st.lists(st.floats(0, 1e6), max_size=100), st.floats(0.1, 1e4))
def test_ticks_by_time_hold_each_row_once_and_ascend(times: list[float], tick_seconds: float) -> None:
    spans = tick_spans_by_time(np.sort(np.array(times)), tick_seconds)
    assert [row for span in spans for row in range(span.start, span.stop)] == list(range(len(times)))
    assert all(first.tick < second.tick for first, second in pairwise(spans))


@pytest.mark.long
@pytest.mark.parametrize(
    ("built", "given", "ticks", "rows_per_tick", "seconds"),
    [
        (("--exchangeable", "--rows-per-tick", "40", "--tick", "5m"), (), 25, 40, 300),
        (("--rows-per-tick", "40", "--tick", "5m"), (), 25, 40, 300),
        (("--rows-per-tick", "40", "--tick", "5m"), ("--rows-per-tick", "100", "--tick", "10s"), 10, 100, 10),
        (("--exchangeable", "--tick", "10s"), (), 250, 4, 10),  # the ticks of the reference: 2000 rows in 500
        (("--exchangeable", "--tick", "5m"), ("--time", "at"), 4, None, 300),
        (("--time", "at", "--tick", "100s"), ("--time", "at"), 10, None, 100),
        (("--time", "at", "--tick", "100s"), (), 10, 100, 100),
    ],
)
def test_ticks_are_those_of_the_build_unless_others_are_given(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    built: tuple[str, ...],
    given: tuple[str, ...],
    ticks: int,
    rows_per_tick: float | None,
    seconds: float,
) -> None:
    reference, out = table(tmp_path / "reference.csv", 2000), tmp_path / "profile.json"
    excluded = () if "--time" in built else ("--exclude", "at")
    assert main(["profile", "build", str(reference), "--out", str(out), *excluded, *built]) == 0
    data = table(tmp_path / "live.csv", 1000, seed=2)
    *_, summary = events(capsys, str(data), "--profile", str(out), *given)
    assert (summary["ticks"], summary["rows_per_tick"], summary["tick_seconds"]) == (ticks, rows_per_tick, seconds)
    assert summary["ticks_per_false_alarm"] == 30 * 86_400 / seconds


def related(path: Path, rows: int, seed: int, shift: float = 0.0) -> str:
    """Write two related columns; `x` is larger by `shift` in the second half. Return the path."""
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    y = x + random.normal(size=rows)
    x[rows // 2 :] += shift
    path.write_text("x,y\n" + "".join(f"{one:.4f},{other:.4f}\n" for one, other in zip(x, y, strict=True)))
    return str(path)


@pytest.mark.long
@pytest.mark.parametrize(
    ("shift", "first", "wanted"), [(2.0, "ALARM  features", "       x "), (0.6, "ALARM  multivariate", "       x ")]
)
def test_an_alarm_names_columns_and_counts_relations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shift: float, first: str, wanted: str
) -> None:
    out = tmp_path / "p.json"
    built = ("--exchangeable", "--rows-per-tick", "20", "--out", str(out))
    assert main(["profile", "build", related(tmp_path / "reference.csv", 6000, 1), *built]) == 0
    capsys.readouterr()
    assert main(["replay", related(tmp_path / "live.csv", 6000, 2, shift), "--profile", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(first)
    assert any(line.startswith(wanted) for line in lines)
    assert not any(name in line for line in lines for name in ("residual:", "cosine:", "mahalanobis", "pca_error"))
