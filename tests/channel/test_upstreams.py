"""The file of unreachable upstreams: what is written comes back, and anything else counts as nothing."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.channel.upstreams import (
    LONGEST,
    MOST,
    UnreachableUpstream,
    read_unreachable,
    write_unreachable,
)
from tests.support.examples import examples

FOUND = st.lists(st.builds(UnreachableUpstream, st.text(max_size=LONGEST + 9), st.text(max_size=LONGEST + 9)))


@given(FOUND, st.integers(1, 2**60))
@settings(max_examples=examples(100), deadline=None)
def test_what_is_written_comes_back_within_its_limits(
    tmp_path_factory: pytest.TempPathFactory, found: list[UnreachableUpstream], epoch: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "upstreams.json"
    write_unreachable(path, epoch, found)
    expected = tuple(UnreachableUpstream(item.address[:LONGEST], item.reason[:LONGEST]) for item in found[:MOST])
    assert read_unreachable(path, epoch) == expected
    assert read_unreachable(path, epoch + 1) == (), "of another proxy"
    assert path.stat().st_mode & 0o077 == 0


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["epoch", "unreachable"]), inner),
    max_leaves=9,
)


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps({"epoch": 1, "unreachable": value}).encode()))
@settings(max_examples=examples(300), deadline=None)
def test_a_damaged_file_gives_only_texts(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(raw)
    assert all(type(text) is str for item in read_unreachable(path, 1) for text in item)


def test_without_a_file_nothing_is_named(tmp_path: Path) -> None:
    assert read_unreachable(tmp_path / "absent.json", 1) == ()


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, make_huge])
def test_what_is_no_small_file_is_neither_read_nor_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "upstreams.json")
    assert read_unreachable(tmp_path / "upstreams.json", 1) == ()


def test_long_texts_and_long_lists_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "upstreams.json"
    path.write_text(json.dumps({"epoch": 1, "unreachable": [["a" * 1000, "b" * 1000]] * 30}))
    assert read_unreachable(path, 1) == (UnreachableUpstream("a" * LONGEST, "b" * LONGEST),) * MOST
