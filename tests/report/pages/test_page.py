"""The page shows the Report, escapes foreign text, and loads nothing from elsewhere."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.schema import LONGEST_NAME
from pilotfish.sidecar.analyzer.http.report import build_response
from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.report import schema as report
from pilotfish.sidecar.report.control_status import IntentStatus
from pilotfish.sidecar.report.pages import histogram, page, summary
from pilotfish.sidecar.report.pages.axis import levels
from pilotfish.sidecar.report.pages.markup import Clock
from pilotfish.sidecar.report.pages.meter import meter
from pilotfish.sidecar.report.pages.writing import write
from pilotfish.sidecar.report.response import Accounting, ReportResponse
from pilotfish.sidecar.report.timeline.schema import FeatureHistogram, Timeline
from pilotfish.sidecar.telemetry.scrape import ScrapeInput
from tests.report.pages.made import both, check
from tests.support.examples import examples
from tests.telemetry.made import CONTROL, NOW, reading, whole_report

NO_LINE = Timeline(tick_seconds=60.0)


@pytest.fixture
def text(tmp_path: Path) -> str:
    whole = reading(tmp_path / "page")
    return page.render(build_response(whole.report, whole), NO_LINE, live=True)


def test_foreign_text_is_escaped(text: str) -> None:
    check(text)
    assert "<b>a" not in text
    assert "&lt;b&gt;a&quot;b" in text


def test_the_page_shows_alarm_episode_and_accounting(text: str) -> None:
    for piece in ("drift", "e1", "0.200", "1.00 %", "POST /v2/models/m/infer", "undecodable", "queued", "abc"):
        assert piece in text, piece


def test_the_page_shows_losses_and_labels(text: str) -> None:
    for piece in (
        "absolute error",
        "realized recently <b>(use this value)</b>",
        "1.500",
        "90 joined",
        "75.0 % of the predicted",
    ):
        assert piece in text, piece


def test_page_and_text_name_the_receiver_that_events_wait_for(tmp_path: Path) -> None:
    whole = reading(tmp_path / "page")
    waiting = IntentStatus(
        kind="notify", episode="e9", state="pending", reason="alarm_opened", attempts=2, decided_at=NOW,
        error="http_404", receiver="on-call",
    )  # fmt: skip
    control = replace(CONTROL, intents=(*CONTROL.intents, waiting))
    answer = build_response(whole.report, replace(whole, control=control))
    assert "NOT DELIVERED to on-call: 1 notify event, last failure http_404" in list(summary.lines(answer))
    assert "<td>on-call</td>" in page.render(answer, NO_LINE, live=True)


def test_the_page_reports_a_missing_proxy() -> None:
    alone = ScrapeInput(report=whole_report(), page=None, control=None, now=NOW)
    assert "No counter page" in page.render(build_response(alone.report, alone), NO_LINE, live=True)
    assert "No counter page" not in page.render(build_response(alone.report, alone), NO_LINE)


def test_the_policy_allows_the_style_and_nothing_else(text: str) -> None:
    assert f"<style>{page.STYLE}</style>" in text
    assert '<meta http-equiv="Content-Security-Policy" content="default-src &#x27;none&#x27;;' in text
    assert "script-src" not in page.POLICY
    assert not re.search(r"url\(|@import|https?:", page.STYLE)


def test_a_drift_is_drawn_with_alarm_episode_and_both_histograms() -> None:
    made, line = both()
    text = page.render(made, line)
    check(text)
    assert [drift.name for drift in line.drifts] == ["amount"]
    for piece in (
        'class="mark"', 'class="band"', 'class="threshold"', "Drifted features", "Jensen-Shannon",
        "PSI with its interval", "since the onset", "The promise", "at most 1 false alarm in",
    ):  # fmt: skip
        assert piece in text, piece
    assert len(re.findall("<figure>", text)) == 1


def test_ticks_of_rows_are_shown_as_row_numbers() -> None:
    made, line = both()
    ticks = msgspec.structs.replace(made.ticks, rows_per_tick=10.0)
    text = page.render(msgspec.structs.replace(made, ticks=ticks), line)
    check(text)
    assert "row 283" in text
    assert Clock(60.0, 2.5).start(100) == "row 250"


def test_a_page_can_have_one_tick_or_none() -> None:
    for ticks in (0, 1):
        made, line = both("amount", ticks, 10_000)
        assert len(line.spans) == ticks
        check(page.render(made, line))
        assert list(summary.lines(made))


def test_an_idle_analyzer_has_a_page() -> None:
    idle = ReportResponse(
        made_at=NOW, started_at=NOW, state="idle", reason="<none>", ticks=report.TickStatus(tick_seconds=1)
    )
    text = page.render(idle, Timeline(tick_seconds=1))
    check(text)
    assert "&lt;none&gt;" in text


def test_unknown_blocks_are_shown_as_plain_tables() -> None:
    class Later(ReportResponse, frozen=True, kw_only=True):
        something_new: dict[str, Any]

    idle = Later(
        made_at=NOW, started_at=NOW, state="idle", ticks=report.TickStatus(tick_seconds=1),
        something_new={"<key>": [1.5, {"inner": "<value>"}]},
    )  # fmt: skip
    text = page.render(idle, Timeline(tick_seconds=1))
    check(text)
    assert "Something new" in text
    assert "1.5, inner &lt;value&gt;" in text


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "\"'&amp;]]>", "x" * LONGEST_NAME, "\u202e\x00\x1b[31m\n", "عربى", " "]
)
def test_hostile_names_stay_text_everywhere(name: str) -> None:
    made, line = both(name)
    text = page.render(made, line)
    check(text)
    assert name not in text or not set(name) & set("<>\"'\x00\x1b\u202e")


ANY_NAME = st.text(st.sampled_from(string.printable + "\x00\x1b\u202e\ufffe𝒳é<>&'\""), max_size=80)
ANY_NUMBER = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0, 5e-324, 1.7e308, -1e300])
ANY_TICK = st.sampled_from([-(2**62), -1, 0, 1, 2**40, 2**62])


@settings(max_examples=examples(60), deadline=None)
@given(ANY_NAME, ANY_NUMBER, ANY_TICK)
def test_no_value_of_a_saved_report_breaks_the_page(name: str, number: float, tick: int) -> None:
    """Values from a file or another sidecar are drawn, within limits."""

    def poisoned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: poisoned(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [poisoned(inner) for inner in value]
        if isinstance(value, str):
            return value if value in {"watching", "none"} else name
        return value if isinstance(value, bool) else number if isinstance(value, float) else value

    made, line = both()
    answered = poisoned(msgspec.json.decode(msgspec.json.encode(made)))
    answered["episodes"][0] |= {"onset_tick": tick, "opened_tick": tick}
    spans = poisoned(msgspec.json.decode(msgspec.json.encode(line)))
    text = page.render(msgspec.convert(answered, ReportResponse), msgspec.convert(spans, Timeline))
    check(text)


def test_a_page_of_a_hundred_features_is_below_a_megabyte() -> None:
    made, line = both()
    many = tuple(msgspec.structs.replace(made.features[0], name=f"f{at}") for at in range(100))
    trends = tuple(msgspec.structs.replace(line.features[0], name=f"f{at}") for at in range(100))
    text = page.render(
        msgspec.structs.replace(made, features=many), msgspec.structs.replace(line, features=trends, drifts=())
    )
    check(text)
    assert len(text) < 1_000_000


def test_the_tooltip_of_a_bar_shows_its_shares() -> None:
    drawn = histogram.large(FeatureHistogram(labels=("a<", "b"), reference=(0.5, 0.5), current=(0.1, 0.9), rows=10))
    assert "<title>a&lt;: reference 50.00%, current 10.00%</title>" in drawn


@pytest.mark.parametrize(("ratio", "width"), [(0.0, 0.0), (1e-9, 0.0), (0.01, 60.0), (1.0, 120.0), (1e9, 120.0)])
def test_a_meter_is_full_at_an_alarm(ratio: float, width: float) -> None:
    assert f'width="{width:.1f}"' in meter(ratio)


@given(st.floats(1e-12, 1e12), st.integers(2, 6))
def test_scales_have_few_round_values(top: float, most: int) -> None:
    found = levels(top, most)
    assert found[0] == 0
    assert 2 <= len(found) <= most + 1
    assert found[-1] <= top * (1 + 1e-9)


def test_a_page_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="choose another path"):
        write(tmp_path / "none" / "page.html", "text")
    assert write(tmp_path / "page.html", "é\ud800") == 3


def test_the_terminal_shows_drift_and_features() -> None:
    made, _ = both()
    lines = list(summary.lines(made))
    assert lines[0] == "m 7: monitoring"
    assert any(line.startswith("DRIFT of features: amount ") and "(since about 2023-" in line for line in lines)


BLIND = report.BlindSpot(reason="undecoded", text="None of the last 20 <b>exchanges</b>", since=NOW, total=True)
PARTLY = report.BlindSpot(reason="columns_absent", text="1 column", since=NOW, total=False)


def without_drift(**changes: object) -> ReportResponse:
    made, _ = both(ticks=40)
    return msgspec.structs.replace(made, episodes=(), **changes)


@pytest.mark.parametrize(("spots", "badge"), [((BLIND, PARTLY), "blind"), ((PARTLY,), "partly_blind")])
def test_a_saved_page_of_a_blind_sidecar_is_red_and_not_calm(spots: tuple[report.BlindSpot, ...], badge: str) -> None:
    made = without_drift(blind=spots, warnings=tuple(spot.text for spot in spots))
    text = page.render(made, both(ticks=40)[1])
    check(text)
    assert f'<span class="badge {badge}">' in text
    assert text.count('role="alert"') == len(spots) == text.count("since 2023-11-14 22:13:20 UTC)</small>")
    assert "No open drift episode" not in text
    assert "<b>exchanges</b>" not in text
    assert text.count("1 column") == 1, "the warning repeats the banner"
    assert f"<title>{'Blind' if badge == 'blind' else 'Partly blind'}: m 7" in text


def test_the_terminal_shows_blind_spots_instead_of_the_absence_of_drift() -> None:
    calm = list(summary.lines(without_drift()))
    assert "no open drift episode" in calm
    lines = list(summary.lines(without_drift(blind=(BLIND,), warnings=(BLIND.text,))))
    assert lines[0] == "m 7: blind"
    assert lines[1].startswith("BLIND (undecoded): None of the last 20")
    assert "no open drift episode" not in lines
    assert not any(line.startswith("warning") for line in lines)


def test_drift_and_blindness_are_both_shown() -> None:
    made, timeline = both()
    text = page.render(msgspec.structs.replace(made, blind=(PARTLY,)), timeline)
    assert '<span class="badge open">drift</span> <span class="badge partly_blind">' in text


def test_without_rows_nothing_is_called_calm() -> None:
    made = without_drift()
    empty = msgspec.structs.replace(made, rows=(), ticks=msgspec.structs.replace(made.ticks, closed_total=0))
    text = page.render(empty, both(ticks=40)[1])
    assert "No open drift" not in text
    assert "No rows have been measured yet" in text
    assert "no rows yet" in text


def test_rows_without_a_closed_tick_are_not_called_calm() -> None:
    made = without_drift(rows=(report.RowCount("m", "input", 10),))
    early = msgspec.structs.replace(made, ticks=msgspec.structs.replace(made.ticks, closed_total=0))
    text = page.render(early, both(ticks=40)[1])
    assert "No open drift" not in text
    assert "Nothing was compared with the reference yet, because no tick has closed" in text
    lines = list(summary.lines(early))
    assert "no open drift episode" not in lines
    assert any(line.startswith("nothing was compared with the reference yet") for line in lines)


def related(**changes: Any) -> tuple[ReportResponse, Timeline]:
    """Return a report with a derived column and relations beside the columns of `both`."""
    made, line = both(ticks=40)
    one = made.features[0]

    def copy(name: str, column: str, family: str = "features") -> report.FeatureReport:
        return msgspec.structs.replace(one, name=name, column=column, family=family, episode_id=None)

    features = (
        *(copy(f"residual:r{at}", "", "multivariate") for at in range(30)),
        *(copy(f"note:{what}", "note") for what in ("length", "digits")),
        *made.features,
    )
    return msgspec.structs.replace(made, features=features, **changes), line


def test_the_page_has_one_row_per_column_and_folds_the_rest() -> None:
    text = page.render(*related())
    check(text)
    table = text[text.index("<h2>Features</h2>") :]
    table = table[: table.index("</section>")]
    unfolded = re.sub(r"<details>.*?</details>", "", table, flags=re.DOTALL)
    assert [name in unfolded for name in ("amount", "colour", "note", "residual:r", "note:digits")] == [
        True, True, True, False, False,
    ]  # fmt: skip
    assert "30 measures of relations between columns, none near an alarm" in table
    assert "2 features derived from note" in table
    assert "residual:r29" in table
    assert re.search(r"<b>3</b><small>columns monitored", text)


def test_relations_that_changed_alone_are_not_folded() -> None:
    made, line = related()
    changed = tuple(
        msgspec.structs.replace(item, episode_id="e" if item.name == "residual:r7" else None) for item in made.features
    )
    text = page.render(msgspec.structs.replace(made, features=changed), line)
    assert "residual:r7" in re.sub(r"<details>.*?</details>", "", text, flags=re.DOTALL)


def test_the_terminal_lists_columns_and_counts_relations() -> None:
    made, _ = related()
    lines = list(summary.lines(made))
    assert not any(line.lstrip().startswith(("residual:", "note:")) for line in lines)
    assert any(line.startswith("note (2 features)") for line in lines)
    assert "relations: 30 measures of relations between columns, none near an alarm (--all lists them)" in lines
    everything = list(summary.lines(made, everything=True))
    assert sum(line.startswith("residual:") for line in everything) == 30
    assert sum(line.startswith("  note:") for line in everything) == 2


def test_the_terminal_shows_findings_and_undecodable_exchanges_with_what_to_do() -> None:
    made, _ = related(
        findings=(
            report.QualityFinding(
                kind="renamed_column", side="input", column="age", renamed_to="Age", since_tick=0, rows=250, share=0.5
            ),
            report.QualityFinding(
                kind="later", side="input", column="x", renamed_to="", since_tick=0, rows=1, share=0.01
            ),
        ),
        accounting=Accounting(
            seen=99,
            fates=(
                report.ExchangeCount("measured", "", 50),
                report.ExchangeCount("undecodable", "unknown_protocol", 9),
                report.ExchangeCount("undecodable", "a_later_reason", 1),
                report.ExchangeCount("undecodable", "not_inference", 30),
            ),
        ),
        predictions_unread={"event_stream": 4},
    )
    text = "\n".join(summary.lines(made))
    for piece in (
        "finding: renamed column age -> Age: has another name; send the name of the reference, ",
        "or build a new profile (250 rows, 50 %, since ",
        "finding: later x (1 row, 1 %, since ",
        "not decoded: 9 exchanges, unknown_protocol: neither path nor body identifies a supported protocol; set spec.",
        "not decoded: 1 exchange, a_later_reason\n",
        "not decoded, as usual beside predictions: 30 not_inference",
        "measured without predictions: 4 exchanges, event_stream: ",
    ):
        assert piece in text, piece
    drawn = page.render(made, NO_LINE)
    check(drawn)
    assert "set spec.traffic.decode if this is a JSON form of your own" in drawn
    assert "send the name of the reference" in drawn
