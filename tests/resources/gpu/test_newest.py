"""New samples of a driver are found once, also when its clock jumps."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.resources.gpu.newest import FIRST, SET_BACK, NewestStamp
from tests.support.examples import examples

NOW = 10**12  # of this machine


class Buffer:
    """The samples that a driver keeps: one each 100 ms, of the last 5 s."""

    def __init__(self) -> None:
        self.stamps: list[int] = []

    def fill(self, until: int, count: int) -> None:
        self.stamps = [*self.stamps, *(until - 100_000 * number for number in reversed(range(count)))][-50:]

    def later(self, since: int) -> list[int]:
        return [stamp for stamp in self.stamps if stamp > since]


def found(newest: NewestStamp, buffer: Buffer, now: int = NOW) -> list[int]:
    stamps = buffer.later(newest.since)
    return [stamps[place] for place in newest.take_new(stamps, now)]


@settings(max_examples=examples(200))
@given(st.lists(st.integers(0, 10), min_size=1, max_size=20), st.sampled_from([0, -3600, 3600]), st.integers(0, 20))
@example([0, 0, 0, 1, 1, 0, 0], 3600, 4)  # the stamps of before are in the buffer when all of it is asked for
def test_each_sample_is_found_once(counts: list[int], jump: int, at: int) -> None:
    newest, buffer, clock = NewestStamp(), Buffer(), NOW
    seen: list[int] = []
    made: list[int] = []
    for number, count in enumerate(counts):
        clock += 1_000_000 + (jump * 1_000_000 if number == at else 0)
        buffer.fill(clock, count)
        made += buffer.stamps[len(buffer.stamps) - count :] if count else []
        seen += found(newest, buffer, NOW + (number + 1) * 1_000_000)
    assert len(seen) == len(set(seen))
    assert set(seen) <= set(made)
    if jump == 0:
        assert set(made) - set(seen) <= set(made[: counts[0]])  # the first call uses a second only


def test_the_first_call_uses_the_last_second() -> None:
    buffer = Buffer()
    buffer.fill(10**12, 50)
    assert found(NewestStamp(), buffer) == [stamp for stamp in buffer.stamps if stamp > 10**12 - FIRST]


def test_a_stamp_from_far_ahead_costs_one_call() -> None:
    newest = NewestStamp()
    assert newest.take_new([2**64 - 1], NOW) == [0]
    assert newest.take_new([10**12], NOW) == [0]


def test_a_clock_that_runs_from_the_start_of_the_machine_is_used_too() -> None:
    newest = NewestStamp()
    assert newest.take_new([5], NOW) == [0]
    assert newest.since == 5
    assert newest.take_new([5, 6], NOW) == [1]


def test_a_small_step_back_repeats_nothing() -> None:
    newest = NewestStamp()
    newest.take_new([10**12], NOW)
    assert newest.take_new([10**12 - SET_BACK], NOW) == []


def test_one_stamp_far_ahead_or_of_zero_does_not_hide_the_samples_beside_it() -> None:
    newest, future = NewestStamp(), NOW + 3600 * 10**6
    assert newest.take_new([future, NOW, 0], NOW) == [1]
    assert newest.rejected == 2
    assert newest.take_new([future, NOW, NOW + 1, 0], NOW + 1) == [2]
    assert newest.take_new([NOW + 2], NOW + 2) == [0]
    assert newest.rejected == 0


def test_a_driver_whose_whole_clock_is_ahead_is_read() -> None:
    newest, future = NewestStamp(), NOW + 3600 * 10**6
    assert newest.take_new([future], NOW) == [0]
    assert newest.take_new([future, future + 5], NOW + 5) == [1]
    assert newest.rejected == 0
