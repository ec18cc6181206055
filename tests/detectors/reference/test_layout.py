"""The layout of the reference stores the ticks of live traffic as they were given, for every order of the rows."""

from __future__ import annotations

import numpy as np
import pytest

from pilotfish.detectors.batch import Floats
from pilotfish.detectors.reference.layout import lay_out


@pytest.mark.parametrize(
    ("times", "per_tick", "exchangeable", "stored"),
    [
        (None, 40.0, True, 40.0),
        (None, 40.0, False, 40.0),
        (None, None, True, None),
        (np.arange(1000.0), None, False, None),
    ],
)
def test_live_ticks_are_stored_as_given(
    times: Floats | None, per_tick: float | None, exchangeable: bool, stored: float | None
) -> None:
    reference = lay_out(1000, times, 300.0, per_tick, exchangeable).reference
    assert (reference.live_tick_seconds, reference.live_rows_per_tick) == (300.0, stored)
