"""Checks of `spec.traffic.decode`: paths that cannot be read, and combinations that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import quote_value
from .errors import DocumentProblem
from .jsonpath import JsonPathError, parse_path
from .traffic import Decode, Traffic

_DECODE = "$.spec.traffic.decode"


def decode_problems(traffic: Traffic) -> Iterator[DocumentProblem]:
    """Yield the problems of `traffic.decode` and of its combination with `traffic.protocol`."""
    decode, protocol = traffic.decode, traffic.protocol
    if decode is None:
        if protocol == "json":
            yield DocumentProblem(
                "$.spec.traffic.protocol", "is json without traffic.decode", "give decode: {rows: $.rows[*]}"
            )
        return
    if protocol not in ("auto", "json"):
        what = f"is {protocol}, and traffic.decode describes another form"
        yield DocumentProblem("$.spec.traffic.protocol", what, "leave it at auto, or remove decode")
    yield from _sources(decode)
    for path, text in _paths(decode):
        try:
            many = parse_path(text).many
        except JsonPathError as error:
            yield DocumentProblem(path, error.what, error.remedy)
            continue
        if many and path == f"{_DECODE}.id":
            what = "selects several values with [*], but an exchange has one id"
            yield DocumentProblem(path, what, "give a path without [*]; labels name rows by their number")
    yield from template_problems(decode.paths, f"{_DECODE}.paths")


def template_problems(templates: Sequence[str], path: str) -> Iterator[DocumentProblem]:
    """Yield the problems of path templates at `path` in the document."""
    for index, template in enumerate(templates):
        if template in templates[:index]:
            yield DocumentProblem(f"{path}[{index}]", f"{quote_value(template)} appears twice", "keep one of them")
        if "?" in template or "#" in template:
            yield DocumentProblem(
                f"{path}[{index}]", f"is {quote_value(template)}", "give the path alone, without a query"
            )


def _sources(decode: Decode) -> Iterator[DocumentProblem]:
    if (decode.rows is None) == (not decode.input_columns):
        which = "neither rows nor" if decode.rows is None else "both rows and"
        yield DocumentProblem(_DECODE, f"has {which} inputColumns", "give exactly one of them, such as rows: $.rows[*]")
    if decode.predictions is not None and decode.prediction_columns:
        yield DocumentProblem(_DECODE, "has both predictions and predictionColumns", "keep one of them")
    if decode.rows is None:
        for key, given in (("oneRow", decode.one_row), ("names", decode.names is not None)):
            if given:
                yield DocumentProblem(f"{_DECODE}.{key}", "is given without rows", "remove it, or give rows")


def _paths(decode: Decode) -> Iterator[tuple[str, str]]:
    for key in ("rows", "names", "predictions", "id"):
        text = getattr(decode, key)
        if text is not None:
            yield f"{_DECODE}.{key}", text
    for key, columns in (("inputColumns", decode.input_columns), ("predictionColumns", decode.prediction_columns)):
        for name, text in columns.items():
            yield f"{_DECODE}.{key}.{name}", text
