"""MLflow's scoring server: a data frame as `dataframe_split` or `dataframe_records`, or the two forms of `v1.py`.

Source: https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally. Rows of a split frame are lists, named by its
`columns`; without names, or with numbers for names, they take the profile's by position. The response is that of `v1`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from . import v1
from .content import parse, require_unique_keys
from .types import Body, DecodedBody, Hints, Rows, SkipExchangeError

decode_response = v1.decode_response


class SplitFrame(msgspec.Struct, gc=False):
    """A data frame as pandas writes it with `orient="split"`."""

    data: list[list[Any]]
    columns: list[Any] | None = None
    index: list[Any] | None = None


class ScoringRequest(msgspec.Struct, gc=False):
    """A scoring request in one of four forms."""

    dataframe_split: SplitFrame | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = None
    inputs: list[Any] | dict[str, Any] | None = None
    params: dict[str, Any] | None = None


_REQUEST = msgspec.json.Decoder(ScoringRequest)


def decode_request(body: Body, hints: Hints) -> DecodedBody:
    """Return the rows of a request."""
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
    names = frame.columns
    if names is None or not all(type(name) is str for name in names):
        return v1.rows_of(frame.data, "inputs", hints.inputs, hints)
    if len(set(names)) != len(names):
        raise SkipExchangeError("duplicate_name")
    if not set(map(len, frame.data)) <= {len(names)}:
        raise SkipExchangeError("ragged")
    return v1.rows_of([dict(zip(names, row, strict=True)) for row in frame.data], "inputs", hints.inputs, hints)
