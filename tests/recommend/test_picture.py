"""The picture has a container's use with all of its peaks, and needs use over time."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilotfish.sidecar.errors import UsageError
from pilotfish.sidecar.recommend.compute import UseSample
from pilotfish.sidecar.recommend.fitting import NamespaceRules, advise
from pilotfish.sidecar.recommend.picture import MOST_POINTS, render, thin
from pilotfish.sidecar.recommend.recommended import from_status
from tests.recommend.made import STATUS, workload
from tests.support.examples import examples

AMOUNTS = st.none() | st.floats(min_value=0, max_value=1e12)


@given(st.lists(AMOUNTS, max_size=4000))
@settings(max_examples=examples(60))
def test_thinning_keeps_the_largest_value(values: list[float | None]) -> None:
    found = thin([UseSample(float(at), value, None) for at, value in enumerate(values)], "cpu")
    known = [value for value in values if value is not None]
    assert len(found) <= MOST_POINTS
    assert max((value for _, value in found), default=None) == max(known, default=None)
    assert [at for at, _ in found] == sorted(at for at, _ in found)


@pytest.mark.long  # matplotlib
def test_the_picture_is_a_png() -> None:
    found = workload(STATUS)
    advice = advise(found, found.containers()[0], from_status(STATUS), NamespaceRules())
    use = [UseSample(1767571200.0 + 60 * minute, minute % 7 / 10, None) for minute in range(3000)]
    assert render([advice], {(found.title, "model"): use}).startswith(b"\x89PNG")


def test_a_status_has_no_use_to_draw() -> None:
    found = workload(STATUS)
    advice = advise(found, found.containers()[0], from_status(STATUS), NamespaceRules())
    with pytest.raises(UsageError, match="give --prometheus URL and --ignore-status"):
        render([advice], {})
