"""The lines of a CSV file as text: plain or gzip, UTF-8, read in blocks.

An error names what the file is, or line and byte of a wrong encoding.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import BinaryIO, NoReturn, Self

from ..system.gunzip import GZIP_MAGIC, DecompressionError, GunzipReader
from .errors import ReferenceDataError
from .formats import foreign_format
from .sources import RowSource
from .table import Progress

BLOCK = 1024 * 1024
MAX_LINE = 64 * 1024 * 1024  # bytes
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TextLines:
    """The lines of one file; iterate over it once."""

    def __init__(self, source: RowSource, progress: Progress) -> None:
        self._source = source
        self._progress = progress

    def __enter__(self) -> Self:
        self._file: BinaryIO = self._source.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        for text in self.blocks():
            yield from io.StringIO(text, newline="")  # accepts every line end, and keeps those inside quotes

    def blocks(self) -> Iterator[str]:
        """Yield the text in blocks of whole lines."""
        packed = self._read(self._file, 2) == GZIP_MAGIC
        self._file.seek(0)
        reader = GunzipReader(self._file) if packed else self._file
        size = max(1, os.fstat(self._file.fileno()).st_size)
        rest, at, line = self._first_bytes(reader), 0, 1
        while block := self._read(reader, BLOCK):
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                if len(rest) > MAX_LINE:
                    raise ReferenceDataError(
                        f"{self._source}: line {line:,} is longer than {MAX_LINE >> 20} MiB; give a CSV file"
                    )
                continue
            raw = rest + block[:cut]
            yield self._decoded(raw, at, line)
            at, line, rest = at + len(raw), line + raw.count(b"\n"), block[cut:]
            self._progress("reading", min(1.0, self._file.tell() / size))
        if rest:
            yield self._decoded(rest, at, line)
        self._progress("reading", 1.0)

    def _first_bytes(self, reader: GunzipReader | BinaryIO) -> bytes:
        """Return the start of the content without a byte order mark; refuse a format that is not CSV."""
        head = b""
        while len(head) < BLOCK and (more := self._read(reader, BLOCK - len(head))):
            head += more
        if what := foreign_format(head):
            raise ReferenceDataError(f"{self._source}: is {what}")
        return head.removeprefix(_BYTE_ORDER_MARK)

    def _read(self, reader: GunzipReader | BinaryIO, size: int) -> bytes:
        try:
            return reader.read(size)
        except DecompressionError as error:
            raise ReferenceDataError(
                f"{self._source}: cannot be decompressed: it is {error}; check that the file is complete"
            ) from error
        except OSError as error:
            raise ReferenceDataError(f"{self._source}: cannot be read ({error.strerror}); check the file") from error

    def _decoded(self, raw: bytes, at: int, line: int) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            self._refuse_bytes(raw, error.start, at, line)

    def _refuse_bytes(self, raw: bytes, start: int, at: int, line: int) -> NoReturn:
        where = f"line {line + raw.count(bytes([10]), 0, start):,}: byte {at + start:,} (0x{raw[start]:02x})"
        remedy = "convert the file, for example: iconv -f WINDOWS-1252 -t UTF-8"
        raise ReferenceDataError(f"{self._source}: {where} is not UTF-8; {remedy}")
