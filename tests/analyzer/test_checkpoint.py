"""A checkpoint is read back unchanged, or refused."""

from __future__ import annotations

import zlib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.analyzer import checkpoint
from pilotfish.sidecar.analyzer.checkpoint import VERSION, CheckpointError, load, parse, render, save
from pilotfish.sidecar.system.framing import Sealed
from tests.support.examples import examples

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
STATE = {"counts": b"\1\2\3" * 50, "tick": 7, "share": 0.25, "names": ["a", "b"], "more": {"none": None}}


@given(st.dictionaries(st.text(), PLAIN, max_size=5))
@settings(max_examples=examples(100), deadline=None)
def test_a_state_is_read_back_unchanged(state: dict[str, object]) -> None:
    assert parse(render(state), "test") == state


def test_a_file_torn_at_any_length_is_refused() -> None:
    raw = render(STATE)
    for length in range(len(raw)):
        with pytest.raises(CheckpointError):
            parse(raw[:length], "test")


@given(st.integers(0, len(render(STATE)) - 1), st.integers(1, 255))
@settings(max_examples=examples(200), deadline=None)
def test_a_flipped_byte_is_refused(at: int, flip: int) -> None:
    raw = bytearray(render(STATE))
    raw[at] ^= flip
    with pytest.raises(CheckpointError, match=r"test"):
        parse(bytes(raw), "test")


def test_a_payload_that_is_cut_off_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = msgspec.msgpack.encode(STATE)
    sealed = Sealed(b"PLTFCKPT", VERSION)
    cut = sealed.wrap(zlib.compress(packed)[:-1])  # all bytes of the state, but not its checksum
    with pytest.raises(CheckpointError, match=r"^test: cannot use this checkpoint: it is cut off: its end is missing"):
        parse(cut, "test")
    whole = sealed.wrap(zlib.compress(packed))
    monkeypatch.setattr(checkpoint, "MAX_BYTES", len(packed))
    assert parse(whole, "test") == STATE
    monkeypatch.setattr(checkpoint, "MAX_BYTES", len(packed) - 1)
    with pytest.raises(CheckpointError, match=rf"^test: .* larger than {len(packed) - 1} bytes when decompressed"):
        parse(whole, "test")


def test_no_file_is_no_state(tmp_path: Path) -> None:
    assert load(tmp_path / "checkpoint") is None


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    save(path, render(STATE))
    (tmp_path / "checkpoint.new").mkdir()
    with pytest.raises(CheckpointError, match="cannot write"):
        save(path, render({}))
    assert load(path) == STATE


def test_a_save_that_succeeds_leaves_nothing_beside_it(tmp_path: Path) -> None:
    save(tmp_path / "checkpoint", render(STATE))
    save(tmp_path / "checkpoint", render({"newer": 1}))
    assert [item.name for item in tmp_path.iterdir()] == ["checkpoint"]
    assert load(tmp_path / "checkpoint") == {"newer": 1}
