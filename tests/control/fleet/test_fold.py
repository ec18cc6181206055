from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.detectors.errors import CountsMismatchError
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.sidecar.control.fleet.fold import Fold, FoldKey
from tests.control.fleet.simulated import counts_of, rows, same, small_profile, total
from tests.support.examples import examples

PROFILE = small_profile()


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_any_order_repetition_and_older_report_gives_the_counts_of_all_rows(data: st.DataObject) -> None:
    """Each pod and epoch reports after each of its batches; all batches in one pod give the same counts."""
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    reports, batches = [], []
    for pod in range(data.draw(st.integers(1, 4))):
        for epoch in range(data.draw(st.integers(1, 2))):
            counting, so_far = TickCounts(PROFILE), Counts.empty(PROFILE)
            for sequence in range(data.draw(st.integers(1, 3))):
                batches.append(rows(random, int(random.integers(0, 20))))
                counting.add(batches[-1])
                so_far += counting.take()
                reports.append((FoldKey(str(pod), str(epoch)), sequence, so_far))
    repeated = reports + data.draw(st.lists(st.sampled_from(reports), max_size=10))
    fold = Fold(PROFILE)
    for key, sequence, counts in data.draw(st.permutations(repeated)):
        fold.add(5, key, sequence, counts)
    assert same(fold.total(5), counts_of(PROFILE, *batches))
    assert all(
        one.sequence == max(s for k, s, _ in reports if k == key)
        for key in fold.keys(5)
        for one in [fold.epochs(5, key.pod)[key.epoch]]
    )


def test_counts_that_need_more_than_a_byte_are_kept_exactly() -> None:
    fold = Fold(PROFILE)
    one = counts_of(PROFILE, rows(np.random.default_rng(1), 5))
    large = [
        replace(one, bin_counts=one.bin_counts * factor, excess=one.excess + factor) for factor in (300, 70_000, 2**33)
    ]
    for pod, counts in enumerate(large):
        fold.add(1, FoldKey(str(pod), "1"), 1, counts)
    assert same(fold.total(1), total(PROFILE, large))


def test_a_tick_that_is_taken_leaves_no_bytes() -> None:
    fold = Fold(PROFILE)
    counts = counts_of(PROFILE, rows(np.random.default_rng(1), 5))
    for _ in range(2):
        fold.add(1, FoldKey("a", "1"), 1, counts)
    assert fold.nbytes > 0
    assert same(fold.take(1), counts)
    assert (fold.nbytes, fold.ticks) == (0, [])
    assert same(fold.take(1), Counts.empty(PROFILE))


def test_counts_of_another_profile_are_refused_with_both_hashes() -> None:
    other = small_profile(2)
    with pytest.raises(CountsMismatchError, match=f"{other.hash}.*{PROFILE.hash}"):
        Fold(PROFILE).add(1, FoldKey("a", "1"), 1, Counts.empty(other))
