"""The model learns, accepts unseen values, and survives a round trip through JSON."""

from __future__ import annotations

import msgspec
import numpy as np

from pilotfish.sidecar.demo.model import RidgeModel, fit
from tests.demo import made


def test_it_learns_what_the_distance_says() -> None:
    learnt, later = made.flights(10), made.flights(5, seed=2)
    error = np.abs(fit(learnt.columns, learnt.air_time).predict(later.columns) - later.air_time)
    assert error.mean() < 5


def test_unknown_categories_and_missing_numbers_still_get_a_prediction() -> None:
    learnt = made.flights(10)
    model = fit(learnt.columns, learnt.air_time)
    row = {name: values[:1] for name, values in learnt.columns.items()}
    strange = row | {"carrier": np.array(["??"]), "seats": np.array([np.nan]), "built": np.array([np.nan])}
    assert np.isfinite(model.predict(strange)).all()


def test_a_model_goes_through_json_unchanged() -> None:
    learnt = made.flights(10)
    model = fit(learnt.columns, learnt.air_time)
    assert msgspec.json.decode(msgspec.json.encode(model), type=RidgeModel) == model
