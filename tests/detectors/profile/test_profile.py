"""A profile is immutable, identified by the hash of its content, and refused when damaged."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from pilotfish.detectors.detection.monitor import DriftMonitor
from pilotfish.detectors.errors import ProfileError
from pilotfish.detectors.profile.profile import Profile
from tests.detectors.material import mixed_profile

PROFILE = mixed_profile()


def test_bytes_and_back_change_nothing() -> None:
    again = Profile.from_bytes(PROFILE.to_bytes())
    assert again.to_bytes() == PROFILE.to_bytes()
    assert again.hash == PROFILE.hash
    assert again.reference == PROFILE.reference
    assert [feature.labels for feature in again.features] == [feature.labels for feature in PROFILE.features]


def test_the_hash_is_of_the_content_and_not_of_its_white_space() -> None:
    pretty = json.dumps(json.loads(PROFILE.to_bytes()), indent=4, sort_keys=False).encode()
    assert Profile.from_bytes(pretty).hash == PROFILE.hash
    changed = json.loads(PROFILE.to_bytes()) | {"version": "2"}
    assert Profile.from_bytes(json.dumps(changed).encode()).hash != PROFILE.hash


def test_the_hash_does_not_depend_on_when_the_profile_was_built() -> None:
    first, second = (replace(PROFILE, created=at) for at in ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"))
    assert first.to_bytes() != second.to_bytes()
    assert first.hash == second.hash == PROFILE.hash
    assert replace(first, model="another").hash != first.hash


def test_a_profile_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        PROFILE.version = "2"  # type: ignore[misc]  # that is the point


def test_features_are_found_by_name_and_unknown_ones_named() -> None:
    assert PROFILE.feature("city").kind == "categorical"
    with pytest.raises(ProfileError, match="no feature 'nothing'"):
        PROFILE.feature("nothing")
    assert PROFILE.names("prediction") == ("score",)


def _feature(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["features"][0]
    return found


DAMAGE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another format": (lambda d: d.update(format="v9"), "format is 'v9'"),
    "a key missing": (lambda d: d.pop("model"), r"lacks the keys \['model'\]"),
    "no features": (lambda d: d.pop("features"), r"lacks the keys \['features'\]"),
    "a feature's key missing": (lambda d: _feature(d).pop("inflation"), r"features\[0\].*inflation"),
    "an unknown key": (lambda d: _feature(d).update(extra=1), r"features\[0\].*extra"),
    "too few counts": (lambda d: _feature(d)["shaping"].pop(), r"shaping must be \d+ counts"),
    "a negative count": (lambda d: _feature(d)["bounding"].__setitem__(0, -1), r"bounding\[0\] must be"),
    "a fraction for a count": (lambda d: _feature(d)["bounding"].__setitem__(0, 1.5), r"bounding\[0\] must be"),
    "cuts out of order": (lambda d: _feature(d)["bins"]["cuts"].reverse(), r"cuts\[1\] must be in ascending order"),
    "cuts that are text": (lambda d: _feature(d)["bins"].update(cuts="no"), "cuts must be a list"),
    "an inflation below one": (lambda d: _feature(d)["inflation"].__setitem__(0, 0.5), r"inflation\[0\] must be"),
    "an unknown kind": (lambda d: _feature(d).update(kind="matrix"), "'matrix'"),
    "an unknown order": (lambda d: d["reference"].update(order="sideways"), "reference.order"),
    "one name twice": (lambda d: d["features"].append(_feature(d)), "have the same name"),
    "a name that is no text": (lambda d: _feature(d).update(name=3), "name must be text"),
    "an infinite number": (lambda d: _feature(d).update(n_eff=float("inf")), "Infinity is not a finite number"),
    "a number that is text": (lambda d: _feature(d).update(delay_rows="3"), "delay_rows must be a number"),
    "half a row": (lambda d: d["reference"].update(rows=0.5), "rows must be a whole number"),
    "features that are not a list": (lambda d: d.update(features=3), "features must be a list"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damaged_documents_are_refused_with_the_place(what: str) -> None:
    damage, message = DAMAGE[what]
    document = json.loads(PROFILE.to_bytes())
    damage(document)
    with pytest.raises(ProfileError, match=message):
        Profile.from_bytes(json.dumps(document).encode())


@pytest.mark.parametrize("raw", [b"", b"no json", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"format": 1e999}'])
def test_what_is_no_profile_is_refused(raw: bytes) -> None:
    with pytest.raises(ProfileError):
        Profile.from_bytes(raw)


def test_a_profile_for_another_bank_is_refused() -> None:
    document = json.loads(PROFILE.to_bytes())
    for key in ("inflation", "growth"):
        _feature(document)[key].append(1.0)
    with pytest.raises(ProfileError, match="alternatives"):
        DriftMonitor(Profile.from_bytes(json.dumps(document).encode()))


def test_counts_add_up_to_the_reference() -> None:
    for feature in PROFILE.features:
        assert int(feature.reference_counts.sum()) == PROFILE.reference.rows
        assert np.all(feature.variance_inflation == 1)
        assert len(feature.labels) == len(feature.roles) == feature.bins.size


TIMED = {
    "order": "time",
    "rows_per_tick": 10.0,
    "tick_seconds": 60.0,
    "first_time": 0.0,
    "last_time": 9.0,
    "tick_sizes": [{"seconds": 60.0, "rows": 10.0}],
}


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"live_rows_per_tick": 0.5}, "live_rows_per_tick"),
        ({"live_tick_seconds": 0}, "live_tick_seconds"),
        ({"live_tick_seconds": None}, "live_tick_seconds"),
        (TIMED, "live_tick_seconds"),
        (TIMED | {"live_tick_seconds": 60.0, "live_rows_per_tick": 5.0}, "live_rows_per_tick"),
    ],
)
def test_live_ticks_that_cannot_be_are_refused(changes: dict[str, Any], what: str) -> None:
    document = json.loads(PROFILE.to_bytes())
    document["reference"] |= {"live_tick_seconds": 30.0} | changes
    with pytest.raises(ProfileError, match=what):
        Profile.from_bytes(json.dumps(document).encode())
