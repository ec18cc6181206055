"""The profile of the rows that a model was trained on, by the library behind `pilotfish profile build`."""

from __future__ import annotations

from ...detectors.profile.profile import Profile
from ...detectors.reference.build import build_profile
from .flights import CATEGORICAL, TARGET, Flights
from .model import RidgeModel
from .wire import MODEL_NAME, MODEL_VERSION

TICK = 1.0  # seconds; one of the demo's ticks stands for a day of flights


def build(model: RidgeModel, flights: Flights) -> Profile:
    """Return the profile of `flights` and of what `model` predicts for them.

    The rows are in time order, and a live tick carries the rows of a day. The real times of the days are not used,
    because the replay runs 86,400 times as fast.
    """
    days = len(set(flights.day.tolist()))
    return build_profile(
        {**flights.columns, TARGET: model.predict(flights.columns)},
        model=MODEL_NAME,
        version=MODEL_VERSION,
        sides={TARGET: "prediction"},
        kinds=dict.fromkeys(CATEGORICAL, "categorical"),
        tick_seconds=TICK,
        rows_per_tick=len(flights) / days,
    )
