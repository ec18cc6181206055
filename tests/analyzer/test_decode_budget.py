"""Costly exchanges share a bounded part of the worker's time, and small ones are measured beside them."""

from __future__ import annotations

import gzip
import json
import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer.decode import Allowance, DecodedExchange, Hints, SkippedExchange, decode
from pilotfish.sidecar.analyzer.decode.allowance import FREE
from pilotfish.sidecar.analyzer.decode.types import SkipExchangeError
from pilotfish.sidecar.analyzer.decode_budget import BURST, REFILL_DIVISOR, SECOND, DecodeBudget
from tests.analyzer.decode.exchanges import V1_PATH, record
from tests.analyzer.decode.test_adversarial import SCALARS, keys, repeat, rows

MANY = json.dumps({"instances": [[number] for number in range(60_000)]}).encode()


@given(st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 3 * SECOND)), max_size=60))
def test_costly_exchanges_use_half_of_the_time_at_most(exchanges: list[tuple[int, int]]) -> None:
    now, used = 0, 0
    budget = DecodeBudget(now)
    for pause, cost in exchanges:
        now += pause
        if cost <= budget.available(now):
            budget.charge(cost)
            now += cost
            used += cost
    assert used <= BURST + now // REFILL_DIVISOR


@given(st.lists(st.integers(0, 1 << 62), max_size=20))
def test_a_debt_is_repaid_within_seconds(costs: list[int]) -> None:
    budget = DecodeBudget(0)
    for cost in costs:
        budget.charge(cost)
    assert budget.available(4 * SECOND) == BURST


def test_a_clock_that_goes_back_adds_nothing() -> None:
    budget = DecodeBudget(SECOND)
    budget.charge(BURST)
    assert budget.available(0) == 0


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(0, 1 << 62))
def test_an_allowance_never_spends_more_than_it_has(first: bytes, second: bytes, most: int) -> None:
    allowance = Allowance(most)
    for body in (first * 1000, second * 1000):
        with suppress(SkipExchangeError):
            allowance.spend(body)
    assert 0 <= allowance.spent <= max(FREE, most)


@pytest.mark.parametrize("zipped", [False, True])
def test_an_exchange_beyond_its_allowance_is_skipped_and_a_small_one_is_decoded(*, zipped: bool) -> None:
    body = gzip.compress(MANY, mtime=0) if zipped else MANY
    headers = "Content-Encoding: gzip\r\n" if zipped else ""
    large = record(body, path=V1_PATH, request_headers=headers)
    assert decode(large, Hints(), Allowance(0)) == SkippedExchange("decode_budget")
    small = record({"instances": [[1, 2]] * 20}, {"predictions": [1] * 20}, path=V1_PATH)
    assert isinstance(decode(small, Hints(), Allowance(0)), DecodedExchange)


def test_a_response_beyond_the_allowance_leaves_the_inputs_measured() -> None:
    found = decode(record({"instances": [1]}, {"predictions": [[0.5] * 20_000]}, path=V1_PATH), Hints(), Allowance(0))
    assert isinstance(found, DecodedExchange)
    assert found.outputs_reason == "decode_budget"


@pytest.mark.parametrize(
    ("body", "hints"),
    [
        (rows(keys('{"k%d":1}', 2**13)), Hints()),
        (rows(repeat('{"k1":1}')), Hints(inputs=tuple(f"k{number}" for number in range(50)))),
        (f'{{"inputs":{{"x":[{repeat("1", 800)}],{SCALARS}}}}}', Hints()),
    ],
)
def test_cells_that_a_short_body_adds_draw_on_the_allowance(body: str, hints: Hints) -> None:
    exchange = record(body.encode(), path="/predict")
    assert isinstance(decode(exchange, hints, Allowance(10**9)), DecodedExchange)
    assert decode(exchange, hints, Allowance(0)) == SkippedExchange("decode_budget")


BINARY = {"UINT8": b"\1", "FP64": bytes(8), "BYTES": bytes(4)}


@pytest.mark.parametrize("datatype", BINARY)
@pytest.mark.parametrize(
    ("shape", "skipped"), [([40_000], True), ([500, 64], True), ([2, 2], False), ([20, 500], False)]
)
def test_binary_values_of_single_columns_count_and_arrays_do_not(
    datatype: str, shape: list[int], *, skipped: bool
) -> None:
    """A body of 180 kB took 140 ms, and passed for one of 1 ms."""
    tail = BINARY[datatype] * math.prod(shape)
    tensor = {"name": "x", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": len(tail)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    sent = record(head + tail, request_headers=f"Inference-Header-Content-Length: {len(head)}\r\n")
    assert isinstance(decode(sent, Hints(), Allowance(SECOND)), DecodedExchange)
    found = decode(sent, Hints(), Allowance(0))
    assert (found == SkippedExchange("decode_budget")) is (skipped or (datatype == "BYTES" and shape == [20, 500]))
