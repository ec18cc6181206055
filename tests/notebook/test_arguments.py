"""Errors name the arguments of Python, never the options of a command."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pandas as pd
import pytest

import pilotfish
from pilotfish.sidecar.notebook.choices import seconds
from tests.notebook.made import frame, profile


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time": "tss"}, r"time='tss': there is no such column; did you mean 'ts'\?"),
        ({"time": 3}, "time=3: give the name of one column"),
        ({"predictions": ["skore"]}, r"predictions='skore': there is no such column; did you mean 'score'\?"),
        ({"predictions": [3]}, r"predictions=\[3\]: give texts, such as predictions=\['a'\]"),
        ({"labels": 3}, r"labels=\[3\]: give texts"),
        ({"time": "ts", "labels": ["ts"]}, "column 'ts' is given by time and labels; keep one"),
        ({"exclude": ["income", "nothing"]}, "exclude='nothing': there is no such column"),
        ({"keep": "nothing"}, "keep='nothing': there is no such column"),
        ({"types": {"city": "string"}}, r"types={'city': 'string'}: give one of array, boolean, categorical"),
        ({"types": ["city"]}, r"types=\['city'\]: give a type by column, such as types={'code': 'categorical'}"),
        ({"task": "multiclass"}, "task='multiclass': give one of classification, ranking, regression"),
        ({"tick": "soon"}, "tick='soon': give a number of seconds, a timedelta or a duration"),
        ({"tick": 0}, "tick=0: give a number of seconds"),
        ({"time": "ts", "exchangeable": True}, "time and exchangeable contradict each other"),
        ({"time": "ts", "rows_per_tick": 5}, "time and rows_per_tick contradict each other"),
        ({"time": "ts", "timezone": "Europe/Bärn"}, "timezone: "),
        ({"time": "city"}, "column 'city': .* have no time"),
    ],
)
def test_an_argument_of_a_profile_that_is_wrong_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(pilotfish.PilotfishError, match=message) as caught:
        pilotfish.Profile.from_pandas(frame(60), **arguments)
    assert "--" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time": "at"}, "time='at': there is no such column"),
        ({"time": "ts", "rows_per_tick": 5}, "time and rows_per_tick contradict each other"),
        ({"rows_per_tick": 0.5}, "rows_per_tick='0.5': a tick needs a row"),
        ({"false_alarms": "often"}, "false_alarms='often': give N/DURATION, such as 1/30d"),
        ({"tick": -1}, "tick=-1: give a number of seconds"),
        ({"tolerance": 2}, "the tolerance 'tolerance' must be between 0 and 1"),
    ],
)
def test_an_argument_of_a_replay_that_is_wrong_is_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(pilotfish.PilotfishError, match=message) as caught:
        profile().replay(frame(60), **arguments)
    assert "--" not in str(caught.value)


def test_a_frame_without_the_columns_of_the_profile_is_refused() -> None:
    with pytest.raises(pilotfish.PilotfishError, match="the frame: has none of the profile's columns") as caught:
        profile().replay(pd.DataFrame({"other": [1, 2]}), rows_per_tick=1)
    assert "--" not in str(caught.value)


def test_notes_and_reasons_name_the_arguments_of_python() -> None:
    rows = 200
    odd = pd.DataFrame(
        {
            "percent": ["5%", "7%"] * (rows // 2),
            "odd": pd.Series([*[1.5, 2.5] * (rows // 2 - 1), "?", "broken"], dtype=object),
            "half": pd.Series([*[1.5, 2.5] * (rows // 4), *["a", "b"] * (rows // 4)], dtype=object),
            "row": range(rows),
            "since": [1_767_225_600 + 60 * row for row in range(rows)],
            "code": pd.Categorical([1, 2] * (rows // 2)),
            "truth": [0, 1] * (rows // 2),
            "secret": 1,
        }
    )
    built = pilotfish.Profile.from_pandas(odd, labels=["truth"], exclude=["secret"])
    said = [*built.notes, *built.warnings, *built.excluded["reason"]]
    assert any("types={" in text for text in said)
    assert any("by exclude" in text for text in said)
    assert not [text for text in said if "--" in text]


@pytest.mark.parametrize("tick", ["90s", 90, 90.0, timedelta(seconds=90), pd.Timedelta("90s")])
def test_a_tick_is_a_text_a_number_or_a_timedelta(tick: object) -> None:
    assert seconds("tick", tick) == 90


def test_one_name_needs_no_list() -> None:
    one = pilotfish.Profile.from_pandas(frame(60), predictions="score", labels="repaid", exclude="ts")
    assert set(one.features["side"]) == {"input", "prediction", "label"}
    assert one.excluded.to_dict("records") == [{"column": "ts", "reason": "by exclude"}]


def test_a_minute_may_be_written_as_pandas_does() -> None:
    assert seconds("tick", "5min") == seconds("tick", "5m") == 300


def test_a_budget_that_is_a_number_is_refused_by_name() -> None:
    with pytest.raises(pilotfish.PilotfishError, match=r"false_alarms=1: give N/DURATION"):
        profile().replay(frame(60), false_alarms=1)  # type: ignore[arg-type]


def test_a_frame_given_to_the_class_itself_is_told_where_to_go() -> None:
    with pytest.raises(pilotfish.PilotfishError, match=r"give Profile\.from_frame"):
        pilotfish.Profile(frame(60))
