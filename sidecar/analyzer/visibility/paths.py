"""Texts about the paths of `spec.traffic.decode`, for blind spots.

The paths come from the document, so they may be shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ....detectors.batch import Side
from ...errors import quote_value
from ...report.problems import REASONS
from ...settings.jsonpath import parse_path
from ...settings.traffic import Decode
from .blindness import LISTED
from .readings import View

_DECODE = "spec.traffic.decode"
_KEYS: Mapping[Side, tuple[str, str]] = {
    "input": ("rows", "inputColumns"),
    "prediction": ("predictions", "predictionColumns"),
}


def skip_meanings(view: View, side: Side) -> Mapping[str, str]:
    """Return `REASONS`, in which `no_match` names the path of this side."""
    decode = decode_of(view)
    if decode is None:
        return REASONS
    path, columns = _paths(decode, side)
    if path is not None:
        return {**REASONS, "no_match": f"{_DECODE}.{_KEYS[side][0]} selects nothing in the body: {quote_value(path)}"}
    listed = f"no path of {_DECODE}.{_KEYS[side][1]} selects anything in the body: {_listed(columns, columns)}"
    return {**REASONS, "no_match": f"{listed}{_list_hint(columns.values())}"}


def why_absent(view: View, side: Side, names: Iterable[str]) -> str:
    """Return why columns without a value may have wrong paths; empty if the document gives no path per column."""
    decode = decode_of(view)
    columns = _paths(decode, side)[1] if decode is not None else {}
    if not columns:
        return ""
    key = f"{_DECODE}.{_KEYS[side][1]}"
    known = [name for name in names if name in columns]
    if not known:
        return f"{key} has no path for them"
    hint = _list_hint(columns[name] for name in known)
    return f"their paths in {key} select no value that fits the reference: {_listed(known, columns)}{hint}"


def decode_of(view: View) -> Decode | None:
    """Return `spec.traffic.decode` of the document in force."""
    document = view.reading.setting.document
    return document.spec.traffic.decode if document is not None else None


def _paths(decode: Decode, side: Side) -> tuple[str | None, Mapping[str, str]]:
    if side == "input":
        return decode.rows, decode.input_columns
    return decode.predictions, decode.prediction_columns


def _listed(names: Iterable[str], columns: Mapping[str, str]) -> str:
    found = [f"{quote_value(columns[name])} for {quote_value(name)}" for name in names]
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return ", ".join(found[:LISTED]) + more


def _list_hint(paths: Iterable[str]) -> str:
    """Return how to select the elements of a list, if a path has no wildcard."""
    if all(parse_path(path).many for path in paths):
        return ""
    return "; a path without [*] selects one value for each request, so write [*] where the body has a list of rows"
