"""Decompression with a limit on the result, for files, request bodies and streams.

All functions report the same defects: cut off, damaged, or larger than the limit. Concatenated gzip members are one
content, and NUL padding after the last one is ignored, as in gzip(1). Every caller must pass a limit or read in blocks,
since a small input can decompress to gigabytes.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import BinaryIO

from ..errors import PilotfishError

GZIP_MAGIC = b"\x1f\x8b"
GZIP, ZLIB, RAW = 31, 15, -15  # the argument `wbits` of zlib
FREE_MEMBERS = 100  # of one body
MEMBER_BYTES = 1024  # of content for each further member; an empty one takes as much time as 1 KB
_CHUNK = 16 * 1024  # bytes; the start of each member copies the rest of a chunk


class DecompressionError(PilotfishError):
    """Input that cannot be decompressed within the limit. The message completes a sentence "it is ..."."""


class CutOffError(DecompressionError):
    """The compressed input is truncated."""


class DamagedError(DecompressionError):
    """The input does not have this format, or its checksum is wrong."""


class OutputTooLargeError(DecompressionError):
    """The result is larger than the limit."""


def is_gzip(raw: bytes) -> bool:
    """Return whether `raw` begins with the magic bytes of gzip."""
    return raw.startswith(GZIP_MAGIC)


def gunzip(raw: bytes, limit: int) -> bytes:
    """Return the content of the gzip file `raw`, at most `limit` bytes; raise DecompressionError."""
    return inflate(raw, limit, GZIP)


def inflate(raw: bytes, limit: int, window: int) -> bytes:
    """Return `raw` decompressed, at most `limit` bytes; raise DecompressionError. `window` is GZIP, ZLIB or RAW.

    Beyond FREE_MEMBERS members, there must be MEMBER_BYTES of content for each, so that the time follows from the size.
    """
    if not raw:
        raise CutOffError("cut off: it is empty")
    reader, parts, room = GunzipReader(BytesIO(raw), window, FREE_MEMBERS), [], limit + 1
    while part := reader.read(room):
        parts.append(part)
        room -= len(part)
        if room <= 0:
            raise OutputTooLargeError(f"larger than {limit} bytes when decompressed")
    return b"".join(parts)


class GunzipReader:
    """Reads the content of a gzip file in blocks, so that the memory does not depend on the size of the file.

    With `members`, there must be MEMBER_BYTES of content for each further member.
    """

    def __init__(self, file: BinaryIO, window: int = GZIP, members: int | None = None) -> None:
        self._file = file
        self._room = None if members is None else members * MEMBER_BYTES
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._rest = b""  # compressed bytes that were read and not decompressed yet

    def read(self, size: int) -> bytes:
        """Return 1 to `size` bytes, or none at the end; raise CutOffError, DamagedError or OSError."""
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
                if self._room is not None:
                    self._room += len(plain)
                return plain

    def _next_member(self) -> bool:
        """Start the next member after NUL padding; return False at the end of the file."""
        raw = self._stream.unused_data
        while not (raw := raw.lstrip(b"\0")):
            if not (raw := self._file.read(_CHUNK)):
                return False
        if self._room is not None:
            self._room -= MEMBER_BYTES
            if self._room < 0:
                raise DamagedError("damaged (too many members)")
        self._stream, self._rest = zlib.decompressobj(self._window), raw
        return True
