"""Profiles from the document, from gzip and from the stored file; each error names the file."""

from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.profile.profile import Profile
from pilotfish.detectors.settings import DriftSettings
from pilotfish.sidecar.analyzer import profile_store as profiles
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.analyzer.profile_store import FileWatcher, ProfileStore, parse_profile
from pilotfish.sidecar.analyzer.startup import load_first_profile
from tests.analyzer.made import monitor, pipeline, profile, setup


def first(profile_store: ProfileStore) -> Profile | None:
    found = profile_store.load_stored()
    if found is None and (found := profile_store.load_changed()) is not None:
        profile_store.confirm()
    return found


def test_a_gzipped_profile_is_the_same() -> None:
    assert parse_profile(gzip.compress(profile().to_bytes()), "x").hash == profile().hash


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"\x1f\x8b\x08nonsense", b"[" * 100_000, gzip.compress(b"{}", mtime=0)[:-9] + b"?"]
)
def test_an_invalid_profile_is_refused_with_its_source_named(raw: bytes) -> None:
    with pytest.raises(ProfileRefusedError, match="PUT /profile"):
        parse_profile(raw, "PUT /profile")


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MAX_DECOMPRESSED_BYTES", 1000)
    with pytest.raises(ProfileRefusedError, match="when decompressed"):
        parse_profile(gzip.compress(bytes(100_000)), "x")


def test_a_profile_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "MAX_PROFILE_BYTES", 1000)
    with pytest.raises(ProfileRefusedError, match="larger"):
        parse_profile(bytes(1001), "x")


def test_a_profile_that_needs_too_much_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> Profile:
        raise MemoryError

    monkeypatch.setattr(Profile, "from_bytes", fail)
    with pytest.raises(ProfileRefusedError, match="x: it needs more memory than --memory-limit allows"):
        parse_profile(b"{}", "x")


def test_the_watcher_detects_a_replaced_a_missing_and_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    watcher = FileWatcher(path)
    assert not watcher.changed()
    path.write_text("a")
    assert watcher.changed()
    assert not watcher.changed()
    (tmp_path / "other").write_text("a")
    os.replace(tmp_path / "other", path)
    assert watcher.changed()
    path.unlink()
    assert watcher.changed()


def test_a_stored_profile_takes_precedence_until_the_file_changes(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    profile_store = ProfileStore(source, tmp_path)
    own = first(profile_store)
    assert own is not None
    assert own.hash == profile().hash
    profile_store.store(profile(1).to_bytes())
    again = ProfileStore(source, tmp_path)
    stored = first(again)
    assert stored is not None
    assert stored.hash == profile(1).hash
    source.write_bytes(profile(2).to_bytes())
    assert again.changed()
    changed = again.load_changed()
    assert changed is not None
    assert changed.hash == profile(2).hash
    again.confirm()
    latest = first(ProfileStore(source, tmp_path))
    assert latest is not None
    assert latest.hash == profile(2).hash


def test_a_touched_file_is_not_a_new_profile(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    profile_store = ProfileStore(source, tmp_path)
    first(profile_store)
    os.utime(source, (1, 1))
    assert profile_store.changed()
    assert profile_store.load_changed() is None


def test_without_a_source_only_the_stored_profile_is_loaded(tmp_path: Path) -> None:
    profile_store = ProfileStore(None, tmp_path)
    assert first(profile_store) is None
    profile_store.store(profile().to_bytes())
    assert first(ProfileStore(None, tmp_path)) is not None


def test_the_error_for_a_missing_file_names_the_document_key(tmp_path: Path) -> None:
    with pytest.raises(ProfileRefusedError, match=r"spec\.profiles"):
        first(ProfileStore(tmp_path / "none.json", tmp_path))


def test_a_stored_profile_replaces_a_file_that_was_broken_before(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(b"{}")
    profile_store = ProfileStore(source, tmp_path)
    with pytest.raises(ProfileRefusedError):
        first(profile_store)
    profile_store.store(profile().to_bytes())
    assert first(ProfileStore(source, tmp_path)) is not None


def test_a_file_that_was_not_confirmed_is_loaded_again(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    profile_store = ProfileStore(source, tmp_path)
    assert profile_store.load_changed() is not None
    assert profile_store.load_changed() is not None
    profile_store.confirm()
    assert profile_store.load_changed() is None


def test_a_damaged_stored_profile_is_quarantined(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    profile_store = ProfileStore(source, tmp_path)
    first(profile_store)
    profile_store.store(profile(1).to_bytes())
    stored = tmp_path / profiles.STORED_FILE
    stored.write_bytes(stored.read_bytes()[:-3])
    again = ProfileStore(source, tmp_path)
    with pytest.raises(ProfileRefusedError, match="stored profile"):
        again.load_stored()
    assert profiles.REFUSED_FILE in again.quarantine()
    assert not stored.exists()
    own = first(again)
    assert own is not None
    assert own.hash == profile().hash


def test_the_profile_stored_before_a_damaged_one_takes_over_once(tmp_path: Path) -> None:
    profile_store = ProfileStore(None, tmp_path)
    for seed in (1, 2, 3):
        profile_store.store(profile(seed).to_bytes())
    old = b"\n" + profile(3).to_bytes().replace(b'"rows":3000', b'"rows":0')  # as an earlier version stored it
    (tmp_path / profiles.STORED_FILE).write_bytes(old)
    made = pipeline()
    note = load_first_profile(made, ProfileStore(None, tmp_path))
    assert made.active.profile_hash == profile(2).hash
    assert "reference.rows must be a whole number from 1" in note
    assert profiles.REFUSED_FILE in note
    assert (tmp_path / profiles.REFUSED_FILE).exists()
    again = pipeline()
    assert profiles.REFUSED_FILE in load_first_profile(again, ProfileStore(None, tmp_path))
    assert again.active.profile_hash == profile(2).hash
    assert (tmp_path / profiles.REFUSED_FILE).read_bytes() == old


@pytest.mark.parametrize("error", [ZeroDivisionError("secret"), MemoryError(), RecursionError("secret")])
def test_any_error_of_a_stored_profile_sets_it_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    profile_store = ProfileStore(source, tmp_path)
    first(profile_store)
    profile_store.store(profile(1).to_bytes())

    def factory(given: Profile, drift: DriftSettings, state: dict[str, Any] | None) -> DriftMonitor:
        if given.hash == profile(1).hash:
            raise error
        return monitor(given, drift, state)

    made = Pipeline(setup(engine_factory=factory), ExchangeLedger(1))
    note = load_first_profile(made, ProfileStore(source, tmp_path))
    assert made.active.profile_hash == profile().hash
    assert "cannot be used" in note
    assert "secret" not in note
    assert not (tmp_path / profiles.STORED_FILE).exists()


def test_a_profile_stored_by_an_earlier_version_is_read_and_gets_a_checksum(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    digest = hashlib.sha256(profile().to_bytes()).hexdigest()
    stored = tmp_path / profiles.STORED_FILE
    stored.write_bytes(f"{digest}\n".encode() + profile(1).to_bytes())
    for _ in range(2):
        found = first(ProfileStore(source, tmp_path))
        assert found is not None
        assert found.hash == profile(1).hash
        assert stored.read_bytes().startswith(b"PLTFPROF")


def test_no_flipped_bit_of_a_stored_profile_is_ignored(tmp_path: Path) -> None:
    profile_store = ProfileStore(None, tmp_path)
    profile_store.store(profile().to_bytes())
    stored = tmp_path / profiles.STORED_FILE
    raw = stored.read_bytes()
    for place in (*range(90), *range(90, len(raw), 97)):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        stored.write_bytes(changed)
        with pytest.raises(ProfileRefusedError, match="stored profile"):
            ProfileStore(None, tmp_path).load_stored()


def test_a_profile_of_a_changed_file_removes_the_stored_ones(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    profile_store = ProfileStore(source, tmp_path)
    first(profile_store)
    profile_store.store(profile(1).to_bytes())
    profile_store.store(profile(2).to_bytes())
    source.write_bytes(profile(3).to_bytes())
    assert profile_store.load_changed() is not None
    profile_store.confirm()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["profile.json"]


def test_a_profile_is_stored_in_its_original_encoding(tmp_path: Path) -> None:
    ProfileStore(None, tmp_path).store(gzip.compress(profile().to_bytes()))
    assert ProfileStore(None, tmp_path).load_stored() is not None
    assert (tmp_path / profiles.STORED_FILE).stat().st_size < len(profile().to_bytes())


@pytest.mark.parametrize("content", [b"", b"no line", b"\x00\xff\n{}", b"abc\n{}", b"\n{}", b"\n"])
@pytest.mark.parametrize("named", [True, False], ids=["with a file", "without"])
def test_no_damage_of_the_stored_profile_is_silent(tmp_path: Path, content: bytes, named: bool) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    (tmp_path / profiles.STORED_FILE).write_bytes(content)
    made = ProfileStore(source if named else None, tmp_path)
    if named and content.startswith(b"\n"):  # it replaces no file, and the document names one: the file is newer
        assert made.load_stored() is None
        return
    with pytest.raises(ProfileRefusedError, match="stored profile"):
        made.load_stored()


def test_a_lost_profile_is_reported_at_every_start_until_another_is_stored(tmp_path: Path) -> None:
    ProfileStore(None, tmp_path).store(profile().to_bytes())
    (tmp_path / profiles.STORED_FILE).write_bytes(b"damaged")
    made = ProfileStore(None, tmp_path)
    with pytest.raises(ProfileRefusedError):
        made.load_stored()
    made.quarantine()
    again = ProfileStore(None, tmp_path)
    assert again.load_stored() is None
    assert profiles.REFUSED_FILE in again.lost
    assert "PUT /profile" in again.lost
    again.store(profile().to_bytes())
    assert ProfileStore(None, tmp_path).lost == ""


def test_a_stored_profile_whose_file_is_not_named_any_more_is_reported(tmp_path: Path) -> None:
    source = tmp_path / "profile.json"
    source.write_bytes(profile().to_bytes())
    with_file = ProfileStore(source, tmp_path)
    first(with_file)
    with_file.store(profile(1).to_bytes())
    made = ProfileStore(None, tmp_path)
    assert made.load_stored() is None
    assert "no longer names" in made.lost
