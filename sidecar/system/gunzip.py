"""Decompression with a bound on the result: of a gzip file, a request body, a stream.

The same input is an error everywhere in the same way: cut off, damaged, or larger than the limit. Concatenated members
are one content, and NUL padding behind the last one is ignored, as gzip(1) does.
"""

from __future__ import annotations

import zlib
from typing import BinaryIO

from ..errors import PilotfishError

GZIP_MAGIC = b"\x1f\x8b"
GZIP, ZLIB, RAW = 31, 15, -15  # window bits, as zlib counts them
_CHUNK = 64 * 1024


class DecompressionError(PilotfishError):
    """Compressed bytes that cannot be decompressed within the limit; the message completes "it is ..."."""


class CutOffError(DecompressionError):
    """The compressed input ends too early."""


class DamagedError(DecompressionError):
    """The input is not of this format, or fails its checksum."""


class TooLargeError(DecompressionError):
    """The result is larger than the limit."""


def is_gzip(raw: bytes) -> bool:
    """Tell whether `raw` begins as a gzip file does."""
    return raw.startswith(GZIP_MAGIC)


def gunzip(raw: bytes, limit: int) -> bytes:
    """Return the content of the gzip file `raw`, at most `limit` bytes; raise CutOff, Damaged or TooLargeError."""
    return inflate(raw, limit, GZIP)


def inflate(raw: bytes, limit: int, window: int) -> bytes:
    """Return `raw` decompressed, at most `limit` bytes; `window` is GZIP, ZLIB or RAW. Raises as `gunzip` does."""
    parts, room = [], limit + 1
    if not raw:
        raise CutOffError("cut off: it is empty")
    while True:
        stream = zlib.decompressobj(window)
        try:
            parts.append(stream.decompress(raw, room))
        except zlib.error as error:
            raise DamagedError(f"damaged ({error})") from error
        room -= len(parts[-1])
        if room <= 0 or stream.unconsumed_tail:
            raise TooLargeError(f"larger than {limit} bytes unpacked")
        if not stream.eof:
            raise CutOffError(f"cut off after {len(raw)} bytes of its last part")
        raw = stream.unused_data.lstrip(b"\0")
        if not raw:
            return b"".join(parts)


class GunzipReader:
    """Reads the content of a gzip file block by block, so that memory stays bounded whatever the file's size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stream = zlib.decompressobj(GZIP)
        self._rest = b""  # compressed bytes that wait

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes of the content, none at its end; raise CutOffError, DamagedError or OSError."""
        while True:
            if self._stream.eof and not self._next_member():
                return b""
            raw = self._rest or self._file.read(_CHUNK)
            if not raw:
                raise CutOffError("cut off: its end is missing")
            try:
                plain = self._stream.decompress(raw, size)
            except zlib.error as error:
                raise DamagedError(f"damaged ({error})") from error
            self._rest = self._stream.unconsumed_tail
            if plain:
                return plain

    def _next_member(self) -> bool:
        """Begin the next member of the file, past NUL padding; return whether there is one."""
        raw = self._stream.unused_data
        while not (raw := raw.lstrip(b"\0")):
            if not (raw := self._file.read(_CHUNK)):
                return False
        self._stream, self._rest = zlib.decompressobj(GZIP), raw
        return True
