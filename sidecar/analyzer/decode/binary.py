"""Read tensors of the binary-data extension: little-endian bytes after the JSON part of a body.

`oip.py` passes the bytes of one tensor. A BYTES tensor is a sequence of (u32 length, bytes). A BF16 value is the upper
half of a float32. Lengths come from the client, so each one is checked against the remaining bytes.
Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md.
"""

from __future__ import annotations

import struct
from types import MappingProxyType

import numpy as np

from .types import Cells, SkipExchangeError

DATATYPES = MappingProxyType(
    {
        "BF16": "<u2",
        "BOOL": "|b1",
        "BYTES": "",
        "FP16": "<f2",
        "FP32": "<f4",
        "FP64": "<f8",
        "INT16": "<i2",
        "INT32": "<i4",
        "INT64": "<i8",
        "INT8": "|i1",
        "UINT16": "<u2",
        "UINT32": "<u4",
        "UINT64": "<u8",
        "UINT8": "|u1",
    }
)
_LENGTH = struct.Struct("<I")


def values(raw: bytes, datatype: str, size: int) -> Cells:
    """Return the `size` values of a tensor: numbers as an array, BYTES as a list of texts.

    Raises:
        SkipExchangeError: the datatype is unknown, or `raw` does not hold exactly `size` values.
    """
    code = DATATYPES.get(datatype)
    if code is None:
        raise SkipExchangeError("datatype")
    if not code:
        return _strings(raw, size)
    if len(raw) != size * np.dtype(code).itemsize:
        raise SkipExchangeError("binary_layout")
    array = np.frombuffer(raw, code)
    if datatype == "BF16":
        array = (array.astype("<u4") << 16).view("<f4")
    return array


def _strings(raw: bytes, size: int) -> list[object]:
    found: list[object] = []
    at, end = 0, len(raw)
    while at < end:
        if end - at < _LENGTH.size or len(found) == size:
            raise SkipExchangeError("binary_layout")
        (length,) = _LENGTH.unpack_from(raw, at)
        at += _LENGTH.size
        if length > end - at:
            raise SkipExchangeError("binary_layout")
        found.append(raw[at : at + length].decode("utf-8", "backslashreplace"))
        at += length
    if len(found) != size:
        raise SkipExchangeError("binary_layout")
    return found
