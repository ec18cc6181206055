"""The prediction store compared with a dict: correct joins, no double counts, and never beyond its bounds."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.feedback import frames
from pilotfish.sidecar.analyzer.feedback.frames import LabelEvent, SegmentHeader
from pilotfish.sidecar.analyzer.feedback.segment import dedup_key
from pilotfish.sidecar.analyzer.feedback.store import BYTES_PER_ROW, Lookup, PredictionStore
from tests.support.examples import examples

KEEP, MAX_ROWS = 100.0, 64
HEADER = SegmentHeader("p", ("y",))
Values = list[list[object] | None]


def store(max_rows: int = MAX_ROWS) -> PredictionStore:
    return PredictionStore(KEEP, max_rows, HEADER)


def found(of: PredictionStore, key: int, now: float) -> Lookup | None:
    return of.find([key], now)[0]


def labelled(of: PredictionStore, key: int, row: int, now: float) -> None:
    lookup = found(of, key, now)
    number = lookup.segment.number if lookup is not None and lookup.exchange is not None else -1
    of.count(LabelEvent(at=now, outcomes={"joined": 1}, dedup_keys=[dedup_key(key, row)], segments=[number]))


@dataclass
class Model:
    """The reference model: all exchanges and labelled rows, without bounds."""

    exchanges: set[int] = field(default_factory=set)
    dedup_keys: set[int] = field(default_factory=set)


STEPS = st.lists(
    st.tuples(st.sampled_from(["keep", "keep", "label", "wait"]), st.integers(1, 40), st.integers(1, 5)), max_size=120
)


@given(STEPS)
@settings(max_examples=examples(60), deadline=None)
def test_the_store_is_a_bounded_subset_of_a_dict(steps: list[tuple[str, int, int]]) -> None:
    made, model, now = store(), Model(), 1000.0
    for what, key, rows in steps:
        now += 1.0
        if what == "keep":
            made.keep(key, 0, now, rows, [[float(key), *[None] * (rows - 1)]])
            model.exchanges.add(key)
        elif what == "label":
            labelled(made, key, rows, now)
            model.dedup_keys.add(dedup_key(key, rows))
        else:
            now += 20.0 * rows
            made.expire(now)
        assert 0 <= made.pending <= made.rows <= MAX_ROWS
        for other in range(1, 41):
            lookup = found(made, other, now)
            if lookup is not None and lookup.exchange is not None:
                assert other in model.exchanges
                assert lookup.exchange.at > now - KEEP - 1
                first = lookup.exchange.values()[0]
                assert first is not None
                assert first[0] == float(other)
        dedup_keys = [dedup_key(key, row) for key in range(1, 41) for row in range(1, 6)]
        assert {
            key for key, known in zip(dedup_keys, made.contains_dedup_keys(dedup_keys), strict=True) if known
        } <= model.dedup_keys
    again = store()
    for number, raw in made.drain():
        list(again.replay(number, [raw]))
    for key in model.exchanges:
        before, after = found(made, key, now), found(again, key, now)
        if before is not None and before.exchange is not None:
            assert after is not None
            assert after.exchange == before.exchange


def test_the_latest_rows_are_stored_and_found() -> None:
    made = store()
    for key in range(1, 200):
        made.keep(key, 0, 1000.0 + key / 100, 1, [[key]])
    latest = [lookup for lookup in made.find(list(range(150, 200)), 1002.0) if lookup is not None and lookup.exchange]
    assert len(latest) == 50
    assert made.rows <= MAX_ROWS


def test_removed_exchanges_are_late_and_others_unknown() -> None:
    made = store()
    for key in range(1, 100):
        made.keep(key, 0, 1000.0, 1, [[key]])
    removed = found(made, 1, 1001.0)
    assert removed is None or removed.late
    assert any(lookup is not None and lookup.late for lookup in made.find(list(range(1, 60)), 1001.0))
    assert found(made, 555, 1001.0) is None


def test_an_exchange_is_late_after_the_period_to_keep() -> None:
    made = store()
    made.keep(7, 0, 1000.0, 1, [[1]])
    lookups = [found(made, 7, 1000.0 + KEEP + more) for more in (0.0, 0.1)]
    assert [lookup is not None and lookup.late for lookup in lookups] == [False, True]


def test_a_reused_id_identifies_the_first_exchange() -> None:
    made = store()
    assert made.keep(7, 0, 1000.0, 1, [["first"]])
    assert not made.keep(7, 0, 1001.0, 1, [["second"]])
    lookup = found(made, 7, 1002.0)
    assert lookup is not None
    assert lookup.exchange is not None
    assert lookup.exchange.values() == [["first"]]


def test_an_exchange_is_found_by_either_of_its_ids() -> None:
    made = store()
    made.keep(7, 8, 1000.0, 1, [[1]])
    for key in (7, 8):
        lookup = found(made, key, 1001.0)
        assert lookup is not None
        assert lookup.exchange is not None
        assert lookup.exchange.key == 7


def test_an_oversized_exchange_is_not_stored_and_removes_nothing() -> None:
    made = store()
    made.keep(1, 0, 1000.0, 1, [[1]])
    assert made.keep(2, 0, 1000.0, MAX_ROWS + 1, [[1] * (MAX_ROWS + 1)])
    assert found(made, 2, 1000.0) is None
    assert found(made, 1, 1000.0) is not None


def test_long_texts_leave_space_for_fewer_rows() -> None:
    made = store()
    for key in range(1, 200):
        made.keep(key, 0, 1000.0, 1, [["x" * 250], ["y" * 250]])
    assert 0 < made.rows * 2 * 250 <= MAX_ROWS * BYTES_PER_ROW
    assert 0 < made.rows < MAX_ROWS // 2
    assert made.keep(999, 0, 1000.0, 50, [["x" * 250] * 50, None])
    assert found(made, 999, 1000.0) is None


def test_dedup_keys_are_stored_without_space_for_rows() -> None:
    made = store(max_rows=0)
    made.keep(1, 0, 1000.0, 1, [[1]])
    labelled(made, 1, 0, 1001.0)
    assert found(made, 1, 1001.0) is None
    assert made.contains_dedup_keys([dedup_key(1, 0), dedup_key(1, 1)]) == [True, False]


def test_coverage_is_the_labelled_share_of_all_predicted_rows() -> None:
    made = store()
    assert store().coverage is None
    for key in (1, 2):
        made.count_predicted(2, 1000.0)
        made.keep(key, 0, 1000.0, 2, [[1, 2]])
    made.count_predicted(4, 1000.0)  # rows without an id
    labelled(made, 1, 0, 1001.0)
    assert made.coverage == 1 / 8
    assert made.pending == 3


def test_a_segment_is_continued_after_a_restart() -> None:
    made = store()
    made.count_predicted(5, 1000.0)
    made.keep(1, 0, 1000.0, 2, [[1.5, "x"]])
    labelled(made, 1, 1, 1001.0)
    ((number, raw),) = made.drain()
    assert made.drain() == []
    again = store()
    again.restore(made.state())
    assert [len(events) for events in again.replay(number, [raw])] == [1]
    assert (again.pending, again.rows, again.state()) == (1, 2, made.state())
    assert again.contains_dedup_keys([dedup_key(1, 1), dedup_key(1, 0)]) == [True, False]
    again.keep(3, 0, 1002.0, 1, [[1]])
    ((same, more),) = again.drain()
    assert same == number
    third = store()
    list(third.replay(number, [raw, more]))
    assert third.rows == 3


def test_values_that_are_not_scalars_are_stored_as_missing() -> None:
    values: Values = [[10**400, {"a": 1}, "long" * 100, 10**20, True, 1, 1.5, "ok"], None]
    raw = frames.encode_exchange(1, 0, 0.0, 8, values)
    ((exchange, _),) = frames.read(raw)
    assert isinstance(exchange, frames.StoredExchange)
    assert exchange.values() == [[None, None, None, 1e20, True, 1, 1.5, "ok"], None]


@given(st.binary(max_size=200), st.integers(0, 300))
@settings(max_examples=examples(100), deadline=None)
def test_damaged_bytes_act_like_a_shorter_journal(noise: bytes, at: int) -> None:
    made = store()
    made.keep(1, 0, 1000.0, 1, [["a"]])
    labelled(made, 1, 0, 1001.0)
    ((number, raw),) = made.drain()
    again = store()
    list(again.replay(number, [raw[:at] + noise + raw[at:], noise]))
    again.find([1], 1001.0)


def test_a_row_of_a_busy_model_takes_less_than_100_bytes() -> None:
    made = PredictionStore(1e6, 100_000, SegmentHeader("p", ("class", "score")))
    for key in range(1, 50_001):
        made.keep(key, 0, 1000.0, 1, [["fraud"], [0.123456789]])
    parts = [segment for segment in made.segments if not segment.is_open]
    size = sum(part.memory_bytes for part in parts)
    assert size / sum(part.rows for part in parts) < 80
