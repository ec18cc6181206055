"""The estimated loss: close to the realized loss, blind to concept drift, and mergeable."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.performance.estimate import estimate
from pilotfish.detectors.performance.realized import realized
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from tests.detectors.performance.made import build, classified, labelled, profile_of, ranked, regressed

Make = Callable[[int, np.random.Generator], dict[str, np.ndarray]]


def predicted(profile: Profile, data: dict[str, np.ndarray], *, and_labelled: int = 0) -> Counts:
    counts = TickCounts(profile)
    rows = len(data["truth"])
    counts.add(Batch({name: values for name, values in data.items() if name != "truth"}, rows, "prediction"))
    if and_labelled:
        counts.add(Batch({name: values[:and_labelled] for name, values in data.items()}, and_labelled, "label"))
    return counts.take()


def harder(rows: int, rng: np.random.Generator, share: float) -> dict[str, np.ndarray]:
    """Rows like the reference, but more of them are unsure. Unsure rows are wrong as often as in the reference."""
    pool = classified(rows * 6, rng)
    weights = np.where(pool["sure"] < 0.65, 1 + share, 1.0)
    chosen = rng.choice(rows * 6, rows, replace=False, p=weights / weights.sum())
    return {name: values[chosen] for name, values in pool.items()}


@pytest.mark.long
def test_it_covers_what_the_labels_show_when_rows_get_harder() -> None:
    covered = 0
    for seed in range(40):
        rng = np.random.default_rng([1, seed])
        profile = build(classified(3000, rng))
        data = harder(800, rng, 3.0)
        found = estimate(profile, predicted(profile, data))
        assert found is not None
        covered += found.low <= np.mean(data["said"] != data["truth"]) <= found.high
        assert found.calibrated
        assert found.checked == 0
        assert found.value > found.reference
    assert covered >= 36


def test_it_adds_up_over_pods() -> None:
    profile = profile_of("classification")
    rng = np.random.default_rng(2)
    parts = [predicted(profile, classified(300, rng), and_labelled=40) for _ in range(3)]
    whole = parts[0] + parts[1] + parts[2]
    found = estimate(profile, whole)
    assert found is not None
    assert found.rows == 900
    assert found.checked == 120
    assert found == estimate(profile, parts[2] + parts[1] + parts[0])


def test_labels_that_contradict_it_replace_it() -> None:
    profile = profile_of("classification", 20_000)
    rng = np.random.default_rng(3)
    data = classified(2000, rng)
    flipped = {**data, "truth": np.where(rng.random(2000) < 0.2, 1 - data["truth"], data["truth"])}
    as_before = estimate(profile, predicted(profile, data, and_labelled=500))
    changed = estimate(profile, predicted(profile, flipped, and_labelled=500))
    assert as_before is not None
    assert changed is not None
    assert as_before.calibrated
    assert not as_before.reason
    assert not changed.calibrated
    assert "500 labelled rows lose" in changed.reason
    came = realized(profile, predicted(profile, flipped, and_labelled=500))
    assert came is not None
    assert came.low > as_before.high


def test_there_is_none_without_scores_or_rows() -> None:
    rng = np.random.default_rng(4)
    data = classified(3000, rng)
    without = build({name: values for name, values in data.items() if name != "sure"})
    assert estimate(without, Counts.empty(without)) is None
    assert realized(without, Counts.empty(without)) is None
    profile = profile_of("classification")
    assert estimate(profile, Counts.empty(profile)) is None
    plain = build({"said": data["said"]})
    assert plain.performance is None
    assert estimate(plain, Counts.empty(plain)) is None
    assert realized(plain, Counts.empty(plain)) is None


@pytest.mark.parametrize(
    ("task", "make"), [("classification", classified), ("ranking", ranked), ("regression", regressed)]
)
def test_realized_is_the_mean_loss_with_an_interval(task: str, make: Make) -> None:
    profile = profile_of(task)
    data = make(1000, np.random.default_rng(5))
    found = realized(profile, labelled(profile, data, 1000))
    assert found is not None
    assert found.rows == 1000
    assert found.without == 0
    assert 0 <= found.low < found.value < found.high <= 1
    assert found.low < found.reference < found.high
    if task == "classification":
        assert found.value == pytest.approx(np.mean(data["said"] != data["truth"]))


def test_scores_that_are_probabilities_are_recognised() -> None:
    rng = np.random.default_rng(6)
    chance = rng.random(8000)
    truth = rng.random(8000) < chance
    for scores, calibrated in ((chance, True), (chance**2, False), (np.clip(chance + 0.005, 0, 1), True)):
        said = build({"said": chance > 0.5, "sure": scores, "truth": truth}).performance
        assert said is not None
        assert said.calibration is not None
        assert said.calibration.of == "the class 1"
        assert said.calibration.calibrated is calibrated
    certain = np.maximum(chance, 1 - chance)
    said = build({"said": chance > 0.5, "sure": certain, "truth": truth}).performance
    assert said is not None
    assert said.calibration is not None
    assert said.calibration.of == "the predicted class"
    assert said.calibration.calibrated
    points = build({"said": chance > 0.5, "sure": chance * 900, "truth": truth}).performance
    assert points is not None
    assert points.calibration is None
