"""ResourceTotals survive the process, never fall, and a damaged file starts from zero with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.resources.totals import MOST_KEYS, TOTALS_FILE, ResourceTotals, load_totals, store_totals

keys = st.lists(st.text(max_size=20), min_size=1, max_size=5).map(tuple)


@given(st.dictionaries(keys, st.integers(0, 2**90), max_size=20))
def test_the_file_keeps_all_totals(amounts: dict[tuple[str, ...], int]) -> None:
    raw = ResourceTotals(amounts).encode()
    assert ResourceTotals.decode(raw).encode() == raw
    assert all(ResourceTotals.decode(raw).get(*key) == amount for key, amount in amounts.items())


@given(
    st.one_of(
        st.binary(), st.binary(max_size=30).map(lambda part: ResourceTotals({("a", "b"): 5}).encode()[:-5] + part)
    )
)
def test_no_bytes_stop_the_reader(raw: bytes) -> None:
    try:
        found = ResourceTotals.decode(raw)
    except ValueError:
        return
    assert all(amount >= 0 for _, amount in found.of("a"))


@pytest.mark.parametrize("content", [b"", b"{", b'{"version":2,"totals":[]}', b'{"version":1,"totals":[[["a"],"-1"]]}'])
def test_a_damaged_file_is_set_aside_with_the_reason(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / TOTALS_FILE
    path.write_bytes(content)
    totals, problem = load_totals(path)
    assert list(totals.of("a")) == []
    assert "start from zero" in problem
    assert (tmp_path / f"{TOTALS_FILE}.refused").read_bytes() == content
    store_totals(path, ResourceTotals({("a",): 1}))
    assert load_totals(path)[1] == ""
    assert load_totals(path)[0].get("a") == 1


def test_keys_are_bounded_and_no_amount_is_lost() -> None:
    totals = ResourceTotals()
    for number in range(MOST_KEYS + 100):
        totals.add(("shared", "cpu", f"route {number}"), 1)
    assert sum(amount for _, amount in totals.of("shared")) == MOST_KEYS + 100
    assert totals.get("shared", "cpu", "other") == 100
    totals.add(("shared", "cpu", "route 1"), -5)
    assert totals.get("shared", "cpu", "route 1") == 1
