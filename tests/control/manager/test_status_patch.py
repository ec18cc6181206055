"""The patch of a status removes what the new status no longer has, also within its blocks."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.control.manager.status import merge_of

VALUES = st.integers() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
STATUSES = st.recursive(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), VALUES | inner, max_size=3),
    max_leaves=8,
)


def merged(target: Any, patch: Any) -> Any:
    """Return the result of a merge patch, as RFC 7396 defines it."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = merged(found.get(name), value)
    return found


@given(built=STATUSES, present=STATUSES)
def test_a_merged_status_is_the_new_one(built: dict[str, Any], present: dict[str, Any]) -> None:
    assert merged(present, merge_of(built, present)) == built


def test_an_owner_that_is_gone_leaves_the_status() -> None:
    present = {"replicas": {"current": 3, "desired": 2, "owner": "HorizontalPodAutoscaler loans"}}
    built = {"replicas": {"current": 3}, "profile": None}
    assert merge_of(built, present) == {"replicas": {"current": 3, "desired": None, "owner": None}, "profile": None}
