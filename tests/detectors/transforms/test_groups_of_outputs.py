"""Derived columns are the same, however few of them are held at once."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.reference.build import build_profile
from pilotfish.detectors.reference.layout import time_order
from pilotfish.detectors.transforms import fit


@pytest.mark.long
@pytest.mark.parametrize("values", [1, 2500])
def test_groups_of_outputs_give_the_same_profile(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(4)
    common = random.normal(size=800)
    rows = {name: common + random.normal(size=800) for name in "abc"}
    monkeypatch.setattr(fit, "CHUNK_ROWS", 300)
    whole = build_profile(rows, exchangeable=True)
    monkeypatch.setattr(fit, "MOST_VALUES", values)
    assert build_profile(rows, exchangeable=True).hash == whole.hash


def test_sorted_rows_need_no_order() -> None:
    assert time_order(np.array([1.0, 1.0, 2.0])) is None
    order = time_order(np.array([2.0, 1.0, 1.0]))
    assert order is not None
    assert order.tolist() == [1, 2, 0]
