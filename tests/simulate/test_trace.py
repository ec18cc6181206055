"""Load traces from CSV: what is read, and errors that name the line."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.simulate.errors import TraceError
from pilotfish.sidecar.simulate.trace import read_csv
from tests.support.examples import examples

HEAD = "time,requests_per_second\n"


def test_times_are_unix_seconds_or_iso_8601() -> None:
    seconds = read_csv(b"time,requests_per_second\n1767571200,1\n1767571260.5,2\n", "t")
    dates = read_csv(b"time,requests_per_second\n2026-01-05T00:00:00Z,1\n2026-01-05T02:01:00.5+02:00,2\n", "t")
    naive = read_csv(b"time,requests_per_second\n2026-01-05 00:00:00,1\n2026-01-05 00:01:00.5,2\n", "t")
    assert seconds.times.tolist() == dates.times.tolist() == naive.times.tolist()


def test_columns_come_in_any_order_with_comments_empty_lines_and_a_byte_order_mark() -> None:
    raw = "\ufeff# from a dashboard\n\nconcurrency, requests_per_second ,time\n2,10,0\n,20,60\n\n"
    trace = read_csv(raw.encode(), "t")
    assert trace.rates.tolist() == [10, 20]
    assert trace.concurrency is not None
    assert trace.concurrency[0] == 2
    assert math.isnan(trace.concurrency[1])
    assert trace.latency is None


def test_the_rate_is_interpolated_between_samples() -> None:
    trace = read_csv(f"{HEAD}0,10\n60,20\n".encode(), "t")
    assert trace.rates_at(np.array([0.0, 30.0, 60.0])).tolist() == [10, 15, 20]


@pytest.mark.parametrize(
    ("rows", "gap"),
    [
        ("0,1\n60,1\n120,1\n600,1\n660,1\n", (120, 600)),
        ("0,1\n60,1\n120,\n180,1\n240,1\n", (60, 180)),
        ("0,1\n60,1\n120,NaN\n180,nan\n240,1\n", (60, 240)),
    ],
)
def test_a_stretch_without_data_is_a_gap(rows: str, gap: tuple[float, float]) -> None:
    trace = read_csv(f"{HEAD}{rows}".encode(), "t")
    assert trace.gaps == (gap,)
    known = trace.known_at(np.array([gap[0] - 1.0, (gap[0] + gap[1]) / 2, gap[1] + 1.0]))
    assert known.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "t: empty"),
        ("\n\n# nothing\n", "t: empty"),
        ("time,rps\n0,1\n", "line 1: unknown column 'rps'"),
        ("time\n0\n", "line 1: the columns are 'time'"),
        ("time,time,requests_per_second\n", "line 1: the columns are"),
        (HEAD, "0 samples"),
        (f"{HEAD}0,1\n", "1 samples"),
        (f"{HEAD}0,1\n60,\n", "1 samples"),
        (f"{HEAD}0,1\n60\n", "line 3: 1 cells instead of 2"),
        (f"{HEAD}0,1\n\n60,1,2\n", "line 4: 3 cells instead of 2"),
        (f"{HEAD}0,1\nsoon,2\n", "line 3: time 'soon' is not a time"),
        (f"{HEAD}0,1\n1767571200000,2\n", "line 3: time '1767571200000' is not a time"),
        (f"{HEAD}0,1\nnan,2\n", "line 3: time 'nan' is not a time"),
        (f"{HEAD}0,1\n60,many\n", "line 3: requests_per_second 'many'"),
        (f"{HEAD}0,1\n60,-1\n", "line 3: requests_per_second '-1'"),
        (f"{HEAD}0,1\n60,inf\n", "line 3: requests_per_second 'inf'"),
        (f"{HEAD}0,1\n60,1e300\n", "line 3: requests_per_second '1e300'"),
        (f"{HEAD}60,1\n0,1\n", "line 3: the time 0.000 does not follow 60.000"),
        (f"{HEAD}0,1\n0,1\n", "line 3: the time 0.000 does not follow 0.000"),
        (f'{HEAD}0,1\n60,"1\n', "not CSV"),
        (f"{HEAD}0,1\n99999999,1\n", "longer than 100 days"),
    ],
)
def test_an_unusable_trace_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(TraceError) as error:
        read_csv(text.encode(), "t")
    assert told in str(error.value)
    assert ";" in str(error.value)  # what to do


def test_bytes_that_are_not_utf_8_are_refused_with_their_line() -> None:
    with pytest.raises(TraceError, match="t: line 3: not UTF-8"):
        read_csv(f"{HEAD}0,1\n".encode() + b"60,\xff\n", "t")


def test_a_compressed_trace_is_refused_as_such() -> None:
    with pytest.raises(TraceError, match="t: compressed; decompress it"):
        read_csv(gzip.compress(f"{HEAD}0,1\n60,1\n".encode()), "t")


CELL = st.one_of(st.floats().map(repr), st.integers().map(str), st.text(max_size=8), st.just(""))


@given(
    st.lists(st.lists(CELL, max_size=4), max_size=6), st.sampled_from([HEAD, "", "time,requests_per_second,latency\n"])
)
@settings(max_examples=examples(200))
def test_any_cells_make_a_trace_or_an_error_of_the_trace(rows: list[list[str]], head: str) -> None:
    _read((head + "\n".join(",".join(row) for row in rows)).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=60))
@settings(max_examples=examples(200))
def test_any_bytes_make_a_trace_or_an_error_of_the_trace(raw: bytes) -> None:
    _read(raw)
    _read(HEAD.encode() + raw)


def _read(raw: bytes) -> None:
    try:
        trace = read_csv(raw, "t")
    except TraceError:
        return
    assert np.isfinite(trace.rates).all()
    assert (trace.rates >= 0).all()
    assert (np.diff(trace.times) > 0).all()
