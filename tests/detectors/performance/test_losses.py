"""Losses: their values for each task, no exception for any input, and a round trip through a document."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pilotfish.detectors.batch import Column, as_column
from pilotfish.detectors.conformance import HOSTILE, check_bins
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.losses.functions import AbsoluteLoss, RankingLoss, ZeroOneLoss, score_quantiles
from pilotfish.detectors.losses.task import BY_SCORE, LOSS
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.transforms import Block
from tests.detectors.performance.made import classified, labelled, profile_of, ranked

TASKS = ("classification", "ranking", "regression")


def column(*values: object) -> Column:
    return as_column(list(values))


@pytest.mark.parametrize(
    ("said", "truth", "loss"),
    [
        (1, 1.0, 0), (1, "1", 0), ("1.0", 1, 0), (True, 1, 0), ("True", True, 0), ("false", 0, 0), (1, 2, 1),
        ("01", 1, 1), ("cat", "cat", 0), ("cat", "dog", 1), ("cat", "never seen", 1), (2**60, 2**60 + 1, 1),
    ],
)  # fmt: skip
def test_classes_are_compared_however_they_are_written(said: object, truth: object, loss: float) -> None:
    assert ZeroOneLoss().of(column(said, "x"), column(truth, "x")).tolist() == [loss, 0.0]


def test_without_prediction_or_label_there_is_no_loss() -> None:
    nothing = column(None, float("nan"), [1], 1)
    for loss in (ZeroOneLoss(), AbsoluteLoss(2.0), RankingLoss("1", "0", np.array([0.5]), np.array([0.5]))):
        assert np.isnan(loss.of(nothing, column(1, 1, 1, None))).all()
        assert np.isnan(loss.of(column(1, 1, 1, None), nothing)).all()


def test_a_distance_is_scaled_and_cut_off() -> None:
    said, truth = column(1, 3, 9, float("inf"), "2", 1), column(0, 3, 0, 0, 2.0, float("inf"))
    assert AbsoluteLoss(4.0).of(said, truth).tolist()[:5] == [0.25, 0.0, 1.0, 1.0, 0.0]
    assert np.isnan(AbsoluteLoss(4.0).of(said, truth)[5])


def test_the_mean_rank_is_one_minus_the_area_under_the_curve() -> None:
    rng = np.random.default_rng(3)
    data = ranked(3000, rng)
    scores, truth = data["said"], data["truth"]
    loss = RankingLoss("1", "0", np.sort(scores[truth]), np.sort(scores[~truth])).of(Column(scores), Column(truth))
    auc = np.mean(scores[truth][:, None] > scores[~truth][None, :])
    assert loss[truth].mean() == pytest.approx(1 - auc, abs=1e-9)
    assert loss[~truth].mean() == pytest.approx(1 - auc, abs=1e-9)
    coarse = RankingLoss("1", "0", score_quantiles(scores[truth]), score_quantiles(scores[~truth])).of(
        Column(scores), Column(truth)
    )
    assert np.abs(coarse - loss).max() < 0.01


@pytest.mark.parametrize("task", TASKS)
def test_nothing_makes_a_loss_raise_and_each_lies_between_0_and_1(task: str) -> None:
    profile = profile_of(task)
    transform = profile.transforms[-1]
    mixed = np.empty(2 * len(HOSTILE), dtype=object)
    mixed[:] = [*HOSTILE, *HOSTILE[::-1]]
    others = np.array([0.5, 1, "1", True] * (len(mixed) // 4 + 1), dtype=object)[: len(mixed)]
    for said, truth in ((mixed, others), (others, mixed), (mixed, mixed), (mixed[:, None], others)):
        columns = {name: Column(said) for name in transform.inputs} | {"truth": Column(truth)}
        loss = transform.apply(Block(columns, len(mixed)))[LOSS].values
        assert loss.shape == (len(mixed),)
        assert np.all(np.isnan(loss) | ((loss >= 0) & (loss <= 1)))


@pytest.mark.parametrize("task", TASKS)
def test_a_profile_with_losses_survives_its_document(task: str) -> None:
    profile = profile_of(task)
    again = Profile.from_bytes(profile.to_bytes())
    assert again.hash == profile.hash
    assert again.performance == profile.performance
    assert again.performance is not None
    assert again.performance.task == task
    assert again.names("label") == profile.transforms[-1].inputs
    check_bins(again.feature(LOSS).bins, np.array([0.0, 0.3, 1.0, np.nan]))
    assert again.feature(LOSS).roles[-1] == "missing"


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("performance", "task"), "guessing", "performance.task must be one of"),
        (("performance", "rows"), "many", "performance.rows must be a whole number"),
        (("performance", "extra"), 1, r"performance has unknown keys: \['extra'\]"),
        (("performance", "levels"), [0.0, 0.5, 1.0], "performance.levels has 3 entries for 2"),
        (("performance", "score"), "other", "performance.score is 'other', but"),
        (("transforms", 0, "task"), "guessing", "task must be one of"),
        (("transforms", 0, "by_score", "borders"), [1, 0], r"by_score.borders\[1\] must be in ascending order"),
    ],
)
def test_a_damaged_document_is_refused_with_its_path(path: tuple[str | int, ...], value: object, says: str) -> None:
    document = json.loads(profile_of("classification").to_bytes())
    inside = document
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = value
    with pytest.raises(ProfileError, match=says):
        Profile.from_bytes(json.dumps(document).encode())


def test_counts_by_score_hold_every_loss() -> None:
    profile = profile_of("classification")
    data = classified(400, np.random.default_rng(5))
    counts = labelled(profile, data, 400)
    by_score = counts.of(profile, BY_SCORE)[3:-4].reshape(-1, 2).sum(axis=0)
    assert by_score.tolist() == [400 - (wrong := int((data["said"] != data["truth"]).sum())), wrong]
    assert counts.of(profile, LOSS)[3:5].tolist() == by_score.tolist()
