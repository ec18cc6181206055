"""Convert row blocks to and from JSON lines: `{"at": epoch s, "inputs": {...}, "outputs": {...}}`.

`GET /rows` writes this format, and `pilotfish report` reads it. It is public: do not change its keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .blocks import Columns, RowBlock
from .errors import RowsError


class _Line(msgspec.Struct, frozen=True):
    at: float
    inputs: dict[str, object]
    outputs: dict[str, object]


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_Line)


def as_lines(block: RowBlock) -> bytes:
    """Return the rows of `block` as JSON, one line per row."""
    rows = zip(block.at, _rows(block.inputs, len(block.at)), _rows(block.outputs, len(block.at)), strict=True)
    return _ENCODER.encode_lines([_Line(*row) for row in rows])


def from_lines(lines: Iterable[bytes]) -> Iterator[RowBlock]:
    """Yield a block with one row for each line; raise RowsError with the number of the first invalid line."""
    for number, line in enumerate(lines, 1):
        try:
            row = _DECODER.decode(line)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            raise RowsError(f"line {number} is not a row ({error}); give the output of GET /rows") from None
        yield RowBlock([row.at], _columns(row.inputs), _columns(row.outputs))


def _rows(columns: Columns, rows: int) -> list[dict[str, object]]:
    if not columns:
        return [{}] * rows
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _columns(row: dict[str, object]) -> Columns:
    return {name: [value] for name, value in row.items()}
