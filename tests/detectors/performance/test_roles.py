"""The loss for each kind of columns, and the error where none fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.batch import Side
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.losses.task import LOSS
from pilotfish.detectors.performance.roles import LabelOptions
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from tests.detectors.performance.made import build, classified

ROWS = 600


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    chance = rng.random(ROWS)
    return {
        "chance": chance,
        "flag": rng.random(ROWS) < chance,
        "yes": np.where(rng.random(ROWS) < chance, "yes", "no"),
        "said": (chance > 0.5).astype(int),
        "kind": rng.choice(["cat", "dog", "cow"], ROWS),
        "guess": rng.choice(["cat", "dog", "cow"], ROWS),
        "price": rng.normal(100, 10, ROWS),
        "offer": rng.normal(100, 10, ROWS),
    }


def made(label: str | list[str], *predictions: str, **wanted: Any) -> Profile:
    labels = [label] if isinstance(label, str) else label
    chosen = {name: columns()[name] for name in (*predictions, *labels)}
    sides: dict[str, Side] = {**dict.fromkeys(predictions, "prediction"), **dict.fromkeys(labels, "label")}
    return build_profile(chosen, sides=sides, exchangeable=True, labels=LabelOptions(**wanted))


@pytest.mark.parametrize(
    ("label", "predictions", "expected"),
    [
        ("kind", ["guess"], ("classification", "guess", None)),
        ("flag", ["chance"], ("ranking", "chance", "chance")),
        ("yes", ["chance"], ("ranking", "chance", "chance")),
        ("flag", ["chance", "said"], ("classification", "said", "chance")),
        ("flag", ["said", "chance"], ("classification", "said", "chance")),
        ("price", ["offer"], ("regression", "offer", None)),
        ("kind", ["offer", "guess"], ("classification", "guess", None)),
    ],
)
def test_the_task_is_inferred(label: str, predictions: list[str], expected: tuple[str, str, str | None]) -> None:
    said = made(label, *predictions).performance
    assert said is not None
    assert (said.task, said.prediction, said.score) == expected


@pytest.mark.parametrize(("label", "task"), [("flag", "ranking"), ("yes", "ranking"), ("price", "regression")])
def test_one_odd_label_does_not_change_the_task(label: str, task: str) -> None:
    data: dict[str, Any] = {name: columns()[name].tolist() for name in ("chance", label)}
    data[label] = [int(value) if isinstance(value, bool) else value for value in data[label]]
    data[label][300] = "unknown"
    said = build_profile(data, sides={"chance": "prediction", label: "label"}, exchangeable=True).performance
    assert said is not None
    assert (said.task, said.rows) == (task, ROWS - 1)


def test_a_person_has_the_last_word() -> None:
    said = made("price", "offer", "chance", score="chance").performance
    assert said is not None
    assert (said.prediction, said.score, len(said.levels)) == ("offer", "chance", 6)
    said = made("flag", "chance", "said", task="ranking", score="chance").performance
    assert said is not None
    assert (said.task, said.prediction) == ("ranking", "chance")


@pytest.mark.parametrize(
    ("label", "predictions", "wanted", "says"),
    [
        ("kind", ["offer"], {}, "cannot compare the label 'kind'"),
        ("kind", ["chance"], {"task": "ranking"}, "a label of two classes"),
        ("kind", ["guess"], {"task": "regression"}, "is a number to compare 'kind' with"),
        ("flag", ["chance"], {"task": "classification"}, "holds the classes of the label 'flag'"),
        ("flag", ["chance"], {"score": "said"}, "the score 'said' is not a prediction"),
        (["flag", "kind"], ["chance"], {}, "are all labels"),
        ([], ["chance"], {"task": "ranking"}, "needs a label and a prediction"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_column(
    label: str | list[str], predictions: list[str], wanted: dict[str, str], says: str
) -> None:
    with pytest.raises(ProfileError, match=says):
        made(label, *predictions, **wanted)


def test_labels_alone_are_left_out() -> None:
    profile = build_profile({"x": np.arange(50) % 7, "y": np.arange(50) % 2}, sides={"y": "label"}, exchangeable=True)
    assert profile.performance is None
    assert [feature.name for feature in profile.features] == ["x"]


def test_rows_whose_label_has_not_come_are_reference_rows_like_others() -> None:
    data = classified(4000, np.random.default_rng(1))
    late = {**data, "truth": np.array([*data["truth"][:3000], *[None] * 1000], dtype=object)}
    profile = build(late, exchangeable=False, rows_per_tick=20)
    assert profile.performance is not None
    assert profile.performance.rows == 3000
    assert profile.feature("sure").reference_counts.sum() == 4000
    assert profile.feature(LOSS).reference_counts.sum() == 3000
    assert profile.performance.rows_at_once == 20 * profile.reference.longest_block


def test_labels_that_never_came_are_an_error_that_names_them() -> None:
    data = classified(100, np.random.default_rng(1))
    with pytest.raises(ProfileError, match="'truth' is missing in every row"):
        build({**data, "truth": np.full(100, None)})


def test_a_column_called_loss_is_in_the_way() -> None:
    data = classified(500, np.random.default_rng(1))
    with pytest.raises(ProfileError, match="called 'loss'"):
        build({**data, "loss": data["sure"]})
