"""Comparison of profiles: rebinning, PSI between references, and sparklines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from pilotfish.detectors.profile.feature import Feature
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.reference.build import build_profile
from pilotfish.sidecar.profiles.diff import difference, rebinned
from pilotfish.sidecar.profiles.show import print_difference
from pilotfish.sidecar.profiles.sparkline import BLOCKS, sparkline


def feature(values: object) -> Feature:
    return build_profile({"x": np.asarray(values)}, exchangeable=True, keep=["x"]).features[0]


def sample(kind: str, seed: int) -> Feature:
    random = np.random.default_rng(seed)
    rows = 2000
    drawn = {
        "normal": random.normal(0, 1 + seed % 3, rows),
        "zeros": np.where(random.random(rows) < 0.5, 0.0, random.normal(5, 1, rows)),
        "integers": random.poisson(40, rows).astype(float),
        "few": random.integers(0, 5, rows).astype(float),
        "words": random.choice(np.array(["a", "b", "c"]), rows),
        "many words": np.array([f"w{value}" for value in random.zipf(1.5, rows) % 5000]),
    }
    return feature(drawn[kind])


KINDS = ["few", "integers", "many words", "normal", "words", "zeros"]


@given(st.sampled_from(KINDS), st.sampled_from(KINDS), st.integers(0, 3))
def test_rebinning_keeps_every_row_unless_types_differ(first: str, second: str, seed: int) -> None:
    one, other = sample(first, seed), sample(second, seed + 1)
    counts = rebinned(one, other)
    assert (counts is None) == (("words" in first) != ("words" in second))
    if counts is not None:
        assert len(counts) == len(other.reference_counts)
        assert counts.min() >= 0
        assert abs(int(counts.sum()) - int(one.reference_counts.sum())) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_rebinning_onto_itself_changes_nothing(kind: str) -> None:
    one = sample(kind, 1)
    assert rebinned(one, one) is not None
    np.testing.assert_array_equal(rebinned(one, one), one.reference_counts)


@pytest.mark.parametrize("kind", ["few", "integers", "normal", "words", "zeros"])
def test_two_samples_of_one_distribution_are_close_despite_different_bins(kind: str) -> None:
    random = np.random.default_rng(7)
    draws: dict[str, Callable[[], Any]] = {
        "few": lambda: random.integers(0, 5, 5000).astype(float),
        "integers": lambda: random.poisson(40, 5000).astype(float),
        "normal": lambda: random.normal(0, 1, 5000),
        "words": lambda: random.choice(np.array(["a", "b", "c"]), 5000),
        "zeros": lambda: np.where(random.random(5000) < 0.5, 0.0, random.normal(5, 1, 5000)),
    }
    one, other = (build_profile({"x": draws[kind]()}, exchangeable=True) for _ in range(2))
    (moved,) = difference(one, other).moved
    assert moved.psi is not None
    assert moved.psi.value < 0.02


def test_a_shift_is_large() -> None:
    random = np.random.default_rng(3)
    one = build_profile({"x": random.normal(0, 1, 5000)}, exchangeable=True)
    other = build_profile({"x": random.normal(1, 1, 5000)}, exchangeable=True)
    (moved,) = difference(one, other).moved
    assert moved.psi is not None
    assert moved.psi.value == pytest.approx(1.0, abs=0.25)  # of two normals one sd apart the PSI is 1


@given(st.sampled_from(KINDS), st.integers(1, 40))
def test_a_histogram_fits_its_width(kind: str, width: int) -> None:
    line = sparkline(sample(kind, 0), width)
    assert 0 < len(line) <= width
    assert set(line) <= set(BLOCKS)
    assert BLOCKS[-1] in line


def test_unusual_columns_have_a_histogram() -> None:
    for values in ([5.0] * 50, [np.nan] * 49 + [1.0], [1e308, -1e308] * 25):
        assert isinstance(sparkline(feature(values), 10), str)


def related(seed: int, shift: float = 0.0) -> Profile:
    """Return a profile of two related columns, an embedding and a text; relations are fitted to each sample."""
    random = np.random.default_rng(seed)
    base, mixed = random.normal(size=3000), np.random.default_rng(0).normal(size=(2, 8))
    words = ["one", "two", "three", "seven"]
    data: dict[str, Any] = {
        "x": base + shift,
        "y": base + random.normal(size=3000),
        "emb": list(random.normal(size=(3000, 2)) @ mixed + 0.1 * random.normal(size=(3000, 8))),
        "note": [" ".join(random.choice(words, 5)) + f" {at % 9}" for at in range(3000)],
    }
    return build_profile(data, kinds={"emb": "array", "note": "text"}, exchangeable=True)


@pytest.mark.long
def test_what_two_profiles_define_differently_is_named_and_not_compared() -> None:
    found = difference(related(1), related(2, shift=1.0))
    compared = {item.before.name for item in found.moved}
    assert {"x", "y", "emb:norm", "emb:mean", "note:length", "note:letters"} <= compared
    apart = {feature.name for feature in found.incomparable}
    assert {"residual:x", "residual:y", "emb:pc1", "emb:rest"} <= apart
    assert not compared & apart
    assert all(item.psi is not None for item in found.moved)
    assert found.moved[0].before.name == "x"
    for everything in (False, True):
        console = Console(file=StringIO(), width=200)
        print_difference(console, found, everything=everything)
        printed = console.file.getvalue()  # type: ignore[attr-defined]  # the buffer
        (line,) = [line for line in printed.splitlines() if line.startswith("not compared")]
        assert "emb:pc1" in line
        assert ("cosine:31" in line) == everything
        assert ("more (--all lists them)" in line) != everything


def test_relations_of_one_fit_are_compared() -> None:
    one = related(1)
    found = difference(one, replace(one, version="2"))
    assert found.incomparable == ()
    assert {"residual:x", "emb:pc1"} <= {item.before.name for item in found.moved}
    assert all(item.psi is not None and item.psi.value == 0 for item in found.moved)


def test_losses_on_another_scale_are_not_compared() -> None:
    random = np.random.default_rng(4)
    truth = random.normal(size=3000)
    one, other, third = (
        build_profile(
            {"p": truth + error * random.normal(size=3000), "t": truth},
            sides={"p": "prediction", "t": "label"},
            exchangeable=True,
        )
        for error in (0.1, 0.1, 5.0)
    )
    assert "loss" in {feature.name for feature in difference(one, third).incomparable}
    assert "loss" in {item.before.name for item in difference(one, replace(one, version="2")).moved}
    assert other.hash != one.hash
