"""Profiles and replays: the same alarms as the commands, as data frames and as HTML."""

from __future__ import annotations

import json
import re
import sys
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import polars as pl
import pytest
from IPython.core.formatters import HTMLFormatter

import pilotfish
from pilotfish.sidecar.cli import main
from tests.notebook.made import frame, profile
from tests.report.pages.made import check

SHIFTED = 300.0


def shown_html(thing: object) -> str:
    """Return the HTML that a notebook shows of `thing`."""
    found = HTMLFormatter()(thing)
    assert isinstance(found, str), "a notebook shows it as text only"
    return found


def test_a_saved_profile_is_the_same_when_it_is_loaded(tmp_path: Path) -> None:
    for name in ("profile.json", "profile.json.gz"):
        profile().save(tmp_path / name)
        loaded = pilotfish.Profile.load(str(tmp_path / name))
        assert loaded == profile()
        assert (loaded.hash, loaded.model, loaded.rows) == (profile().hash, "loans", 3000)
    assert main(["profile", "show", str(tmp_path / "profile.json")]) == 0


def test_a_profile_that_cannot_be_read_or_written_raises(tmp_path: Path) -> None:
    with pytest.raises(pilotfish.PilotfishError, match="cannot be read"):
        pilotfish.Profile.load(tmp_path / "none.json")
    with pytest.raises(pilotfish.PilotfishError, match="cannot be written") as caught:
        profile().save(tmp_path / "none" / "profile.json")
    assert "--" not in str(caught.value)


def test_the_features_are_a_data_frame_with_own_columns_first() -> None:
    features = profile().features
    assert isinstance(features, pd.DataFrame)
    assert list(features["name"])[:3] == ["income", "city", "score"]
    assert features.set_index("name").loc["city", "kind"] == "categorical"
    assert features["family"].eq("multivariate").sum() == 0 or features["family"].iloc[-1] == "multivariate"


@pytest.mark.long
def test_a_replay_has_the_alarms_of_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = frame(600, seed=3, shift=SHIFTED)
    result = profile().replay(rows)
    profile().save(tmp_path / "profile.json")
    rows.to_csv(tmp_path / "rows.csv", index=False)
    capsys.readouterr()
    command = [
        "replay",
        str(tmp_path / "rows.csv"),
        "--profile",
        str(tmp_path / "profile.json"),
        "--time",
        "ts",
        "--json",
    ]
    assert main(command) == 0
    *alarms, summary = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert alarms
    assert [row.evidence_ratio for row in result.alarms.itertuples()] == [alarm["evidence_ratio"] for alarm in alarms]
    assert [f"{row.time:%Y-%m-%dT%H:%M:%SZ}" for row in result.alarms.itertuples()] == [item["time"] for item in alarms]
    assert list(result.alarms["onset_row"]) == [alarm["onset_row"] for alarm in alarms]
    assert (result.rows, result.ticks) == (summary["rows"], summary["ticks"])
    assert len(result.episodes) == len(summary["episodes"])


def test_an_alarm_names_the_column_and_what_changed() -> None:
    result = profile().replay(frame(600, seed=3, shift=SHIFTED))
    first = result.alarms.iloc[0]
    assert first["columns"] == ["income"]
    assert first["change"].startswith("income rose: mean ")
    drifted = result.features[result.features["drifted"]]
    assert drifted["name"].iloc[0] == "income"
    assert drifted["psi"].iloc[0] > 1
    assert result.evidence["features"].max() >= 1
    assert "1 alarm" in repr(result)


def test_rows_like_the_reference_have_no_alarm_and_empty_frames() -> None:
    result = profile().replay(frame(600, seed=5))
    assert len(result.alarms) == len(result.episodes) == 0
    assert list(result.alarms.columns)[:4] == ["time", "row", "family", "columns"]
    assert "0 alarms" in result.summary


@pytest.mark.long
def test_without_times_the_rows_are_counted_and_a_warning_says_so(tmp_path: Path) -> None:
    profile().save(tmp_path / "profile.json")
    loaded = pilotfish.Profile.load(tmp_path / "profile.json")
    result = loaded.replay(frame(600, seed=3, shift=SHIFTED))
    assert "time" not in result.alarms
    assert any("give time='COLUMN'" in warning for warning in result.warnings)
    assert profile().replay(frame(600, seed=3, shift=SHIFTED).drop(columns="ts")).warnings == result.warnings
    assert not any("give time" in warning for warning in profile().replay(frame(60)).warnings)


@pytest.mark.long
def test_frames_of_other_libraries_have_the_same_replay() -> None:
    rows = frame(600, seed=3, shift=SHIFTED)
    expected = profile().replay(rows).alarms
    assert profile().replay(pl.from_pandas(rows)).alarms.equals(expected)
    assert profile().replay(pl.from_pandas(rows).to_arrow()).alarms.equals(expected)


def test_a_column_that_the_frame_lacks_is_named() -> None:
    result = profile().replay(frame(60).drop(columns="city"))
    assert result.missing_columns == ("city",)
    assert "city: the frame lacks this column" in shown_html(result)


@pytest.mark.long
def test_the_page_of_a_replay_is_the_page_of_the_command(tmp_path: Path) -> None:
    result = profile().replay(frame(600, seed=3, shift=SHIFTED))
    check(result.to_html() or "")
    assert result.to_html(tmp_path / "page.html") is None
    assert "a replay of rows of a data frame" in (tmp_path / "page.html").read_text()


class Tags(HTMLParser):
    """Collects the tags and attributes of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]


@pytest.mark.parametrize("shown", ["profile", "result"])
def test_a_notebook_shows_tables_and_pictures_without_scripts_styles_and_resources(shown: str) -> None:
    html = shown_html(profile() if shown == "profile" else profile().replay(frame(600, seed=3, shift=SHIFTED)))
    parser = Tags()
    parser.feed(html)
    assert parser.tags <= {"b", "br", "img", "li", "p", "span", "table", "tbody", "td", "th", "thead", "tr", "ul"}
    sources = [value for name, value in parser.attributes if name == "src"]
    assert sources
    for source in sources:
        root = ET.fromstring(b64decode(source.removeprefix("data:image/svg+xml;base64,")))
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not [item.tag for item in root.iter() if item.tag.rpartition("}")[2] in ("script", "image", "a")]
    assert not [name for name, _ in parser.attributes if name.startswith("on")]
    assert not re.search(r"https?://(?!www\.w3\.org)", html)


def test_hostile_names_are_escaped() -> None:
    rows = frame(200).rename(columns={"income": "<script>alert(1)</script>", "city": 'a" onload="x'})
    one = pilotfish.Profile.from_pandas(rows, exclude=["ts"], predictions=["score"], labels=["repaid"])
    html = shown_html(one) + shown_html(one.replay(rows, rows_per_tick=10))
    assert "<script" not in html
    parser = Tags()
    parser.feed(html)
    assert not [name for name, _ in parser.attributes if name.startswith("on")]


def test_without_pandas_results_are_small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    rows = pl.from_dict({"x": [1.0, 2.0, 4.0] * 30, "city": ["a", "b", "b"] * 30})
    one = pilotfish.Profile.from_polars(rows, exchangeable=True)
    assert one.features["name"][:2] == ["x", "city"]
    assert pl.DataFrame(one.features.to_dict())["kind"].to_list()[:2] == ["integer", "categorical"]
    assert "<td" in shown_html(one.features)
    result = one.replay(rows, rows_per_tick=10)
    assert len(result.alarms) == 0
    assert "0 rows" in repr(result.alarms)
