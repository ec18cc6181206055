"""Counters that go back or jump are refused, and those of a running proxy and of a new page are not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.channel import layout as at
from pilotfish.sidecar.channel.page import CounterPage, PageError
from pilotfish.sidecar.channel.page_reader import PageReader

COUNTERS = [at.outcome_word("accepted"), at.connection("ended"), at.connection("opaque_bytes_in"), at.downgrade("tls")]


@pytest.mark.parametrize("word", COUNTERS)
def test_a_counter_that_jumps_or_goes_back_is_refused_until_it_is_right_again(tmp_path: Path, word: int) -> None:
    page, now = CounterPage.open(tmp_path / "page", now_ns=5), [0.0]
    reader = PageReader(tmp_path / "page", lambda: now[0])
    page.add(word, 1000)
    reader.read()
    for step, reason in ((2**50, "jumped"), (-1, "went back")):
        page.add(word, step)
        for _ in range(3):
            now[0] += 1
            with pytest.raises(PageError, match=reason):
                reader.read()
        page.add(word, -step)
        reader.read()
    page.close()


def test_a_new_page_may_start_from_zero_and_an_old_one_may_not_jump(tmp_path: Path) -> None:
    path = tmp_path / "page"
    reader = PageReader(path, lambda: 0.0)
    for first, refused in ((1000, False), (2**50, True), (3, False)):
        path.unlink(missing_ok=True)
        page = CounterPage.open(path, now_ns=first)
        page.add(at.outcome_word("accepted"), first)
        page.close()
        if refused:
            with pytest.raises(PageError, match="jumped"):
                reader.read()
        else:
            assert reader.read().accepted == first


@given(st.lists(st.tuples(st.sampled_from(COUNTERS), st.integers(0, 10_000_000)), max_size=10))
def test_the_counters_of_a_proxy_are_read(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    path = tmp_path_factory.mktemp("page") / "page"
    page = CounterPage.open(path, now_ns=5)
    reader = PageReader(path)
    for word, amount in steps:
        page.add(word, amount)
        reader.read()
    page.close()
