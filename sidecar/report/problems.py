"""What the reasons and the kinds of problems mean, and what to do: exchanges that gave no rows, and findings.

The decoders count the reasons, `detectors.quality` the findings. Blind spots, the page and the text report quote these
tables. `docs/protocols.md` repeats `REASONS`, and a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

PROTOCOLS_PAGE = "docs/protocols.md"
LANGUAGE_MODEL = "language_model"
# normal beside measured traffic
EVERYDAY = frozenset(["error_status", LANGUAGE_MODEL, "no_rows", "not_inference", "other_model"])
REASONS = MappingProxyType(
    {
        "binary_layout": "the sizes of the binary-data extension do not match the body",
        "body_too_large": "a body is larger than the limit after decompression",
        "compression_ratio": "a body is more than 100 times larger after decompression, and larger than 256 KiB",
        "content_encoding": "the content coding is unknown or not declared, or the body is not valid in this coding",
        "content_type": "the body is not JSON, according to its content type",
        "datatype": "the protocol does not define the datatype of a tensor",
        "decode_budget": "decoding needs more time or memory than the analyzer has left for large exchanges",
        "decoder_error": "the decoder failed; this is a defect, please report it",
        "duplicate_name": "two tensors, or two keys of one object, have the same name",
        "empty_body": "the body is empty",
        "error_status": "the model did not respond with a 2xx status",
        "event_stream": "the response is a stream of events",
        "invalid_json": "the body is not JSON in UTF-8",
        LANGUAGE_MODEL: "an exchange of a language model, which has no rows; its tokens are counted",
        "name_too_long": "the name of a column has more than 1000 characters",
        "no_match": "a path of spec.traffic.decode selects nothing in the body",
        "no_predictions_path": "spec.traffic.decode has no path to the predictions",
        "no_rows": "the request has no rows, or its rows have no values",
        "not_inference": "not a prediction request: metadata, health, administration, a method other than POST, or a "
        "path that decode.paths leaves out",
        "other_model": "the path names a different model than the document",
        "ragged": "rows or nested lists differ in length",
        "row_mismatch": "tensors, or request and response, have different numbers of rows",
        "shape_mismatch": "the data of a tensor does not match its shape",
        "too_deep": "lists or objects are nested too deeply (the limit for tensors is 8 levels)",
        "too_many_rows": "a body has more than 65,536 rows",
        "too_many_values": "a body has more columns or cells than the analyzer accepts",
        "truncated": "the body is longer than spec.traffic.bodyLimit, so only its start was recorded",
        "unknown_protocol": "neither path nor body identifies a supported protocol",
        "unreferenced_data": "the data of a tensor is not in the body (shared memory)",
        "wrong_structure": "the JSON does not have the structure that the protocol requires",
    }
)

_OWN_JSON = f"set spec.traffic.decode if this is a JSON form of your own ({PROTOCOLS_PAGE})"
_SEND_JSON = f"send JSON; other forms are not decoded ({PROTOCOLS_PAGE})"
REMEDIES: Mapping[str, str] = MappingProxyType(
    {
        "body_too_large": "raise spec.traffic.bodyLimit",
        "compression_ratio": "send bodies without a content coding",
        "content_encoding": f"send bodies without a content coding, or with gzip or deflate ({PROTOCOLS_PAGE})",
        "content_type": _SEND_JSON,
        "decode_budget": "send fewer rows in one request, lower spec.traffic.maxRecordsPerSecond, or add CPU",
        "event_stream": "request whole responses: predictions in a stream are not measured",
        "error_status": "look at the model's log",
        "invalid_json": _SEND_JSON,
        "no_match": f"correct the paths in spec.traffic.decode ({PROTOCOLS_PAGE})",
        "not_inference": f"use a prediction path and POST, and check decode.paths in the document ({PROTOCOLS_PAGE})",
        "other_model": "correct spec.model.name, or leave it out",
        "row_mismatch": _OWN_JSON,
        "too_many_rows": "send fewer rows in one request",
        "truncated": "raise spec.traffic.bodyLimit",
        "unknown_protocol": _OWN_JSON,
        "wrong_structure": _OWN_JSON,
    }
)

OTHER_REMEDY = f"compare the requests with {PROTOCOLS_PAGE}"

FINDINGS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "constant_column": (
            "always has the same value or bin",
            "look for a default value or a failed join in the client",
        ),
        "duplicate_rows": ("rows repeat recent rows", "look for a client that sends batches twice"),
        "missing_column": ("rows lack the column", "send it, or build a profile without it"),
        "new_column": ("rows carry a column that the reference does not have", "build a profile with it, or ignore it"),
        "renamed_column": ("has another name", "send the name of the reference, or build a new profile"),
        "width_mismatch": (
            "rows without names have another number of values than the profile has columns",
            "send the columns of the profile, or names with the values",
        ),
        "type_change": ("values have another type than in the reference", "send the type of the reference"),
    }
)


def remedy(reason: str) -> str:
    """Return what to do about a key of `REASONS`."""
    return REMEDIES.get(reason, OTHER_REMEDY)
