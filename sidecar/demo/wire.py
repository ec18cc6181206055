"""Rows as the JSON of the Open Inference Protocol v2, REST: one tensor per feature, [n] values each, null = missing."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray

from .flights import CATEGORICAL, FEATURES, TARGET, Columns

MODEL_NAME = "air-time"
MODEL_VERSION = "1"
INFER_PATH = f"/v2/models/{MODEL_NAME}/infer"


class FeatureTensor(msgspec.Struct):
    """One named column."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float | str | None]


class InferRequest(msgspec.Struct):
    """Rows to predict."""

    inputs: list[FeatureTensor]
    id: str = ""


class InferResponse(msgspec.Struct):
    """Their predictions."""

    model_name: str
    model_version: str
    id: str
    outputs: list[FeatureTensor]


class TensorFormatError(ValueError):
    """A request that the model's server cannot take: names what is missing or wrong."""


_REQUEST = msgspec.json.Decoder(InferRequest)
_RESPONSE = msgspec.json.Decoder(InferResponse)


def encode_rows(columns: Columns, request_id: str = "") -> bytes:
    """Return the body of a request for the rows of `columns`."""
    inputs = [_tensor(name, columns[name]) for name in FEATURES]
    return msgspec.json.encode(InferRequest(inputs, request_id))


def decode_rows(body: bytes) -> tuple[Columns, str]:
    """Return (columns, request id) of a request.

    Raises WireError if it does not hold each feature, with the same number of values of its type.
    """
    try:
        request = _REQUEST.decode(body)
    except msgspec.DecodeError as error:
        raise TensorFormatError(f"not an inference request: {error}") from error
    given = {tensor.name: tensor.data for tensor in request.inputs}
    absent = [name for name in FEATURES if name not in given]
    if absent:
        raise TensorFormatError(f"no input tensor {absent[0]!r}; the model needs {', '.join(FEATURES)}")
    if len({len(given[name]) for name in FEATURES}) != 1:
        raise TensorFormatError("input tensors have unequal lengths")
    try:
        return {name: _column(name, given[name]) for name in FEATURES}, request.id
    except (TypeError, ValueError) as error:
        raise TensorFormatError(f"an input tensor has values of the wrong type: {error}") from error


def encode_predictions(predictions: NDArray[np.float64], request_id: str) -> bytes:
    """Return the body of the response: minutes in the air, to a hundredth."""
    output = _tensor(TARGET, np.round(predictions, 2))
    return msgspec.json.encode(InferResponse(MODEL_NAME, MODEL_VERSION, request_id, [output]))


def decode_predictions(body: bytes) -> NDArray[np.float64]:
    """Return the predictions in a response."""
    return np.array(_RESPONSE.decode(body).outputs[0].data, np.float64)


def _tensor(name: str, values: NDArray[np.generic]) -> FeatureTensor:
    data = values.tolist()
    if name in CATEGORICAL:
        return FeatureTensor(name, [len(data)], "BYTES", data)
    return FeatureTensor(name, [len(data)], "FP64", [None if math.isnan(value) else value for value in data])


def _column(name: str, data: list[float | str | None]) -> NDArray[np.generic]:
    if name in CATEGORICAL:
        return np.array(["" if value is None else str(value) for value in data])
    return np.array([np.nan if value is None else value for value in data], np.float64)
