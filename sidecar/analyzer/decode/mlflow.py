"""Decode requests to the scoring server of MLflow: a data frame in one of two forms, or the two forms of `v1.py`.

`dataframe_records` is a list of objects. `dataframe_split` holds lists, with the names in `columns`. Without names, or
with numbers as names, the columns take the names of the profile by position. The response has the form of `v1`.
Source: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally.
"""

from __future__ import annotations

from typing import Any

import msgspec

from . import arrays, v1
from .content import parse, require_unique_keys
from .types import Body, DecodedBody, Hints, Rows, SkipExchangeError

decode_response = v1.decode_response


class SplitFrame(msgspec.Struct, gc=False):
    """A data frame as `DataFrame.to_json(orient="split")` of pandas writes it."""

    data: list[list[Any]]
    columns: list[Any] | None = None
    index: list[Any] | None = None


class ScoringRequest(msgspec.Struct, gc=False):
    """A scoring request. Exactly one of the first four fields is set."""

    dataframe_split: SplitFrame | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = None
    inputs: Any = None
    params: dict[str, Any] | None = None


_REQUEST = msgspec.json.Decoder(ScoringRequest)


def decode_request(body: Body, hints: Hints) -> DecodedBody:
    """Return the rows of a request body; raise SkipExchangeError if it cannot be decoded."""
    request = parse(_REQUEST, body.raw, body.headers)
    forms = (request.dataframe_split, request.dataframe_records, request.instances, request.inputs)
    if sum(form is not None for form in forms) != 1:
        raise SkipExchangeError("wrong_structure")
    keys = 0 if request.params is None else 1 + len(request.params)
    if request.dataframe_split is not None:
        return DecodedBody(_split(body.raw, request.dataframe_split, keys, hints))
    rows = request.instances if request.dataframe_records is None else request.dataframe_records
    tree = v1.one_of(body.raw, rows, request.inputs, keys)
    return DecodedBody(v1.rows_of(tree, "inputs", hints.inputs, hints))


def _split(raw: bytes, frame: SplitFrame, keys: int, hints: Hints) -> Rows:
    keys += 2 + (frame.columns is not None) + (frame.index is not None)
    require_unique_keys(raw, keys, frame.data)
    arrays.require_rows(len(frame.data))
    names = frame.columns
    if names is None or not all(type(name) is str for name in names):
        return v1.rows_of(frame.data, "inputs", hints.inputs, hints)
    if len(set(names)) != len(names):
        raise SkipExchangeError("duplicate_name")
    if not set(map(len, frame.data)) <= {len(names)}:
        raise SkipExchangeError("ragged")
    return v1.rows_of([dict(zip(names, row, strict=True)) for row in frame.data], "inputs", hints.inputs, hints)
