"""The counts of a tick are read back unchanged; other bytes are refused with MessageError, whatever they are."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.detectors.batch import Batch
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.summaries.counts import Counts, TickCounts
from pilotfish.sidecar.sync.counts import MAX_ROWS, decode_counts, encode_counts
from pilotfish.sidecar.sync.messages import MessageError
from tests.analyzer.profile_mutants import CASES, LABEL, SIDES
from tests.detectors.material import mixed_profile, normal_profile
from tests.support.examples import examples

CELLS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.floats(), max_size=3)
)
PROFILE = mixed_profile()
HEADER = 9


def same(one: Counts, other: Counts) -> bool:
    return all(np.array_equal(getattr(one, item.name), getattr(other, item.name)) for item in fields(Counts))


def made_up(profile: Profile, seed: int, share: float, bits: int) -> Counts:
    """Counts of which a `share` is not zero, of up to `bits` bits."""
    rng = np.random.default_rng(seed)
    features = len(profile.features)
    parts = []
    for size in (profile.n_bins, features, features, 2 * features):
        values = rng.integers(0, 2**bits, size)
        values[rng.random(size) >= share] = 0
        parts.append(values)
    bins, mismatches, absent, excess = parts
    return Counts(profile.hash, bins, mismatches, absent, excess.reshape(-1, 2), MAX_ROWS, MAX_ROWS, MAX_ROWS)


@given(st.integers(0, 2**32), st.floats(0, 1), st.integers(0, 20))
@example(0, 1.0, 20)
@example(0, 0.0, 1)
@settings(max_examples=examples(200), deadline=None)
def test_any_counts_are_read_back_unchanged(seed: int, share: float, bits: int) -> None:
    counts = made_up(PROFILE, seed, share, bits)
    data = encode_counts(counts)
    found = decode_counts(data, PROFILE)
    assert same(found, counts)
    assert encode_counts(found) == data


@pytest.mark.long
@pytest.mark.parametrize("case", CASES)
@given(data=st.data())
@settings(max_examples=examples(60), deadline=None)
def test_the_counts_of_any_rows_are_read_back_unchanged(case: str, data: st.DataObject) -> None:
    profile = CASES[case].profile
    counting = TickCounts(profile)
    for side in ("input", "prediction", "label"):
        names = {name for t in profile.transforms if t.side == side for name in t.inputs} | set(profile.columns(side))
        for _ in range(data.draw(st.integers(0, 2))):
            rows = data.draw(st.integers(1, 5))
            sent = data.draw(st.sets(st.sampled_from(sorted(names | set(SIDES) | {LABEL}))))
            cells = st.lists(CELLS, min_size=rows, max_size=rows)
            counting.add(Batch({name: data.draw(cells) for name in sent}, rows, side))
    counts = counting.take()
    assert same(decode_counts(encode_counts(counts), profile), counts)


def test_zeros_cost_nothing() -> None:
    assert len(encode_counts(Counts.empty(PROFILE))) == HEADER + 4


@given(st.binary(max_size=60))
@settings(max_examples=examples(300), deadline=None)
def test_any_bytes_are_refused_or_are_the_form_of_what_they_give(body: bytes) -> None:
    for data in (body, encode_counts(Counts.empty(PROFILE))[:HEADER] + body):
        try:
            found = decode_counts(data, PROFILE)
        except MessageError:
            continue
        assert encode_counts(found) == data


@given(st.integers(0, 2**32), st.floats(0, 1), st.data())
@settings(max_examples=examples(300), deadline=None)
def test_changed_bytes_are_refused_or_are_the_form_of_what_they_give(
    seed: int, share: float, data: st.DataObject
) -> None:
    whole = bytearray(encode_counts(made_up(PROFILE, seed, share, 8)))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    for changed in (bytes(whole), cut):
        try:
            found = decode_counts(changed, PROFILE)
        except MessageError:
            continue
        assert encode_counts(found) == changed


def raw(*numbers: int) -> bytes:
    out = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return encode_counts(Counts.empty(PROFILE))[:HEADER] + bytes(out)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "0 bytes are too few"),
        (b"\x07" + bytes(20), "version 7"),
        (encode_counts(Counts.empty(normal_profile())), "belong to the profile"),
        (raw(0, 0, 0, 0) + bytes(10**6), "too many"),
        (raw(0, 0), "rows of a side are missing"),
        (raw(0, 0, 0, 0)[:-1] + b"\x80", "cut off"),
        (raw(0, 0, 0, 0)[:-1] + b"\x80\x00", "longer than it needs"),
        (raw(0, 0, 0, 2**63), "more than 63 bits"),
        (raw(0, 0, 0, 2**62), "do not fit"),
        (raw(9, 9, 9, 1, 0, 2**62, 1), "longer than"),
        (raw(9, 9, 9, 1, PROFILE.n_bins * 2, 1, 1), "longer than"),
        (raw(9, 9, 9, 1, PROFILE.n_bins + 4 * len(PROFILE.features), 1, 1), "end after"),
        (raw(9, 9, 9, 1, 0, 2, 1), "do not fit the values"),
        (raw(9, 9, 9, 1, 0, 1, 0), "do not fit the values"),
        (raw(9, 9, 9, 1, 0, 1, 10), "more than the rows"),
        (raw(9, 9, 9, 1, 0, 1, 2**62), "a count is more than"),
        (raw(2**31, 0, 0, 0), "rows are more than"),
        (raw(9, 9, 9, 1, PROFILE.n_bins + 2 * len(PROFILE.features), 1, 2**62), "excess"),
    ],
)
def test_a_refusal_says_why(data: bytes, problem: str) -> None:
    with pytest.raises(MessageError, match=problem):
        decode_counts(data, PROFILE)
