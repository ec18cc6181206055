"""How one cell is read: as missing, a number or a boolean, in the reference and in live rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch, Column, as_column, missing_mask
from pilotfish.detectors.cells import MISSING_WORDS, missing_words, with_missing_words
from pilotfish.detectors.columns.inference import infer_kind
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile.profile import Profile, canonical
from pilotfish.detectors.quality.monitor import QualityMonitor
from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts

ROWS = 1000
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(sorted(MISSING_WORDS)),
    st.sampled_from(["NA ", "\tnull", " "]), st.lists(st.integers(), max_size=2), st.binary(max_size=2),
)  # fmt: skip


def counted(profile: Profile, values: list[Any]) -> Counts:
    counts = TickCounts(profile)
    counts.add(Batch({"a": values}, len(values)))
    return counts.take()


def places(profile: Profile, values: list[Any]) -> dict[str, int]:
    """Return the rows of each bin that has rows."""
    found = zip(profile.feature("a").labels, counted(profile, values).of(profile, "a").tolist(), strict=True)
    return {label: rows for label, rows in found if rows}


@given(st.lists(VALUES, max_size=20), st.booleans())
def test_a_text_is_missing_exactly_if_it_is_a_word_without_its_outer_blanks(values: list[Any], masked: bool) -> None:
    column = Column(as_column(values).values, np.arange(len(values)) % 2 == 0 if masked else None)
    before = missing_mask(column)
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values]
    words = [isinstance(text, str) and text.strip() in MISSING_WORDS for text in texts]
    after = missing_mask(with_missing_words(column, MISSING_WORDS))
    assert after.tolist() == [word or gone for word, gone in zip(words, before.tolist(), strict=True)]


def test_words_are_added_and_kept() -> None:
    words = missing_words(added=[" ? "], kept=["NA", "no such word"])
    assert words == (MISSING_WORDS | {"?"}) - {"NA"}


def test_a_kept_word_is_a_category_and_still_no_number() -> None:
    words = missing_words(kept=["NA"])
    names = build_profile({"a": ["NA", "CH", "DE", None] * 250}, exchangeable=True, missing_words=words)
    assert places(names, ["NA", " NA", "null", ""]) == {"NA": 1, "unseen": 1, "missing": 2}
    numbers = build_profile({"a": [1.5, "NA", 2.5, 3.5] * 250}, exchangeable=True, missing_words=words)
    assert numbers.feature("a").kind == "numeric"
    assert places(numbers, ["NA", None]) == {"missing": 2}
    assert counted(numbers, ["NA", None]).mismatches.tolist() == [0]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1.5, 2.5] * 475 + ["error"] * 50, "numeric"),
        ([1.5, 2.5] * 474 + ["error"] * 52, "categorical"),
        ([1, 2] * 475 + [["a"]] * 50, "integer"),
        (["1.5", "2"] * 475 + ["NA"] * 900, "numeric"),
        (["1", "2"] * 499 + ["007", "3"], "integer"),
        (["1", "2"] * 499 + ["007", "1_0"], "categorical"),
        ([True, "false", 1, 0, "TRUE"] * 10, "boolean"),
        ([1, 0, "1"] * 10, "integer"),
        (["True", "maybe"] * 10, "categorical"),
        (["True", "true", True] * 10, "constant"),
    ],
)
def test_few_odd_values_do_not_decide_about_a_column(values: list[Any], kind: str) -> None:
    column = with_missing_words(as_column(values), MISSING_WORDS)
    assert infer_kind(column) == kind


@pytest.mark.parametrize(
    "reference",
    [[True, False], ["True", "false"], ["TRUE", "FALSE"], [1, 0], [1, "false"], ["1", "0"], [np.True_, False]],
    ids=str,
)
def test_a_boolean_is_the_same_in_every_spelling(reference: list[Any]) -> None:
    profile = build_profile({"a": reference * 300}, exchangeable=True)
    true, false = [True, "true", "True", "TRUE", 1, 1.0, "1"], [False, "false", "False", "FALSE", 0, 0.0, "0"]
    found = [places(profile, [value]) for value in (*true, *false)]
    assert found == [found[0]] * len(true) + [found[-1]] * len(false)
    assert found[0] != found[-1]
    assert not {"missing", "unseen"} & (found[0].keys() | found[-1].keys())
    assert counted(profile, [*true, *false]).mismatches.tolist() == [0]


def test_a_text_number_is_a_change_of_type_only_if_the_reference_had_none() -> None:
    texts = build_profile({"a": [f"{row / 7:.2f}" for row in range(ROWS)]}, exchangeable=True)
    numbers = build_profile({"a": [round(row / 7, 2) for row in range(ROWS)]}, exchangeable=True)
    live = ["12.50", 12.5, "error", "", None]
    assert (texts.text_numbers, numbers.text_numbers) == (("a",), ())
    assert counted(texts, live).mismatches.tolist() == [1]
    assert counted(numbers, live).mismatches.tolist() == [2]
    assert places(texts, live) == places(numbers, live)


@pytest.mark.parametrize(("share", "found"), [(20, set()), (5, {"type_change"})])
def test_as_many_odd_values_as_in_the_reference_are_no_change_of_type(share: int, found: set[str]) -> None:
    random = np.random.default_rng(1)
    made = lambda share: ["error" if row % share == 0 else random.normal() for row in range(4000)]  # noqa: E731
    profile = build_profile({"a": made(20)}, exchangeable=True)
    assert profile.feature("a").mismatches == 200
    quality = QualityMonitor(profile)
    quality.close_tick(0, counted(profile, made(share)))
    assert {finding.kind for finding in quality.findings} == found


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda document: document.update(missing_words=["b", "a"]), "missing_words must ascend"),
        (lambda document: document.update(missing_words=[" a"]), "without outer white space"),
        (lambda document: document.update(text_numbers=["b"]), "which are no numeric features"),
    ],
)
def test_a_profile_whose_words_cannot_be_right_is_refused(
    change: Callable[[dict[str, Any]], None], problem: str
) -> None:
    document = build_profile({"a": [1, 2] * 500}, exchangeable=True).document()
    change(document)
    with pytest.raises(ProfileError, match=problem):
        Profile.from_bytes(canonical(document))
