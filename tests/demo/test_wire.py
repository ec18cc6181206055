"""Rows survive the Open Inference Protocol; a request that does not fit is refused with a reason."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pilotfish.sidecar.demo import wire
from pilotfish.sidecar.demo.flights import FEATURES
from tests.demo import made


def test_rows_come_back_as_they_went() -> None:
    columns = made.flights(1, rows=30).columns
    back, request_id = wire.decode_rows(wire.encode_rows(columns, "id-1"))
    assert request_id == "id-1"
    assert all((back[name] == columns[name]).all() for name in ("carrier", "origin", "distance"))
    assert np.array_equal(back["seats"].astype(float), columns["seats"].astype(float), equal_nan=True)


def test_predictions_come_back_to_a_hundredth() -> None:
    raw = wire.encode_predictions(np.array([1.234, 250.0]), "x")
    assert wire.decode_predictions(raw).tolist() == [1.23, 250.0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda body: b"{", "not an inference request"),
        (lambda body: json.dumps({"inputs": []}).encode(), "no input tensor"),
        (lambda body: body.replace(b'"data":["', b'"data":["AA","', 1), "unequal lengths"),
        (lambda body: body.replace(b'"name":"distance"', b'"name":"other"'), "distance"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(change: object, reason: str) -> None:
    body = wire.encode_rows({name: values[:2] for name, values in made.flights(1).columns.items()})
    assert callable(change)
    with pytest.raises(wire.TensorFormatError, match=reason):
        wire.decode_rows(change(body))


def test_text_in_a_numeric_tensor_is_refused() -> None:
    columns = {name: values[:1] for name, values in made.flights(1).columns.items()}
    request = json.loads(wire.encode_rows(columns))
    request["inputs"][FEATURES.index("distance")]["data"] = ["far"]
    with pytest.raises(wire.TensorFormatError, match="wrong type"):
        wire.decode_rows(json.dumps(request).encode())
