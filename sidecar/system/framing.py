r"""Records as bytes: how a file of records stays readable after a kill, a full disk or a flipped bit. No file access.

BinaryFrames   u32 length [u32 note] u32 CRC-32 payload     little endian; reading ends at the first damaged record
LineFrames     CRC-32 in hex, length, payload, line break   a damaged line is left out and named, reading goes on
PlainLines     payload, line break                          for files that people read; no checksum
Sealed         magic, u16 version, u32 CRC-32, u64 length, payload: a whole file that is one record

These layouts are on users' disks. Change one only together with a reader of the old one.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from ..errors import PilotfishError, quote_value

LARGEST_RECORD = 2**32 - 1


class FramingError(PilotfishError):
    """Bytes that are not what their framing says; the message begins with what is wrong."""


class Record(NamedTuple):
    """A whole record: `end` is the offset behind it, `note` the number that was stored with it (0 without one)."""

    payload: bytes
    end: int
    note: int = 0


class Damage(NamedTuple):
    """A damaged place, for people; reading goes on at `end`. `raw` is what stands there, as far as it is delimited."""

    place: str
    end: int
    raw: bytes = b""


class Framing(Protocol):
    """What a log file needs to know of its records. `magic` begins each file."""

    @property
    def magic(self) -> bytes:
        """The first bytes of a file; may be empty."""

    def frame(self, payload: bytes, note: int = 0) -> bytes:
        """Return the record's bytes."""

    def scan(self, file: BinaryIO, start: int) -> Iterator[Record | Damage]:
        """Yield what stands in `file` from its position, which is the offset `start`, on; stop at a cut-off record.

        What follows the `end` of the last one is a cut-off record, or what cannot be read past damage.
        """


@dataclass(frozen=True, slots=True)
class BinaryFrames:
    """Length, CRC-32 and payload; with `noted`, a u32 between length and checksum that a scan returns (row counts)."""

    magic: bytes = b""
    noted: bool = False
    largest: int = LARGEST_RECORD

    @property
    def overhead(self) -> int:
        """How many bytes a record takes beside its payload."""
        return self._header.size

    @property
    def _header(self) -> struct.Struct:
        return _NOTED if self.noted else _BARE

    def frame(self, payload: bytes, note: int = 0) -> bytes:
        """Return the record's bytes; FramingError for a payload larger than `largest`."""
        if len(payload) > self.largest:
            raise FramingError(f"a record of {len(payload)} bytes is too large; {self.largest} are the most")
        numbers = (len(payload), note, zlib.crc32(payload)) if self.noted else (len(payload), zlib.crc32(payload))
        return self._header.pack(*numbers) + payload

    def scan(self, file: BinaryIO, start: int) -> Iterator[Record | Damage]:
        """Yield whole records; after one that is damaged, where the next begins is unknown: Damage, and the end."""
        header = self._header
        while len(head := file.read(header.size)) == header.size:
            length, *note, crc = header.unpack(head)
            if length > self.largest:
                yield Damage(f"byte {start}", start)
                return
            payload = _read(file, length)
            if len(payload) != length:
                return
            if zlib.crc32(payload) != crc:
                yield Damage(f"byte {start}", start)
                return
            start += header.size + length
            yield Record(payload, start, *note)


def _read(file: BinaryIO, length: int) -> bytes:
    """Return up to `length` bytes, without reserving memory for a length that damage made up."""
    if length <= _PORTION:
        return file.read(length)
    parts = []
    while length and (part := file.read(min(length, _PORTION))):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


_PORTION = 1024 * 1024
_BARE, _NOTED = struct.Struct("<II"), struct.Struct("<III")


@dataclass(frozen=True, slots=True)
class LineFrames:
    r"""`1c291ca3 57 {...}\n`: CRC-32 in hex, length in bytes, payload, which must not contain a line break."""

    magic: bytes = b""

    def frame(self, payload: bytes, note: int = 0) -> bytes:  # noqa: ARG002  # lines have no note
        """Return the line."""
        return b"%08x %d %s\n" % (zlib.crc32(payload), len(payload), payload)

    def scan(self, file: BinaryIO, start: int) -> Iterator[Record | Damage]:
        """Yield the lines up to the last line break; a damaged one is named by its number."""
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            start += len(line)
            payload = _checked(line[:-1])
            yield Damage(f"line {number}", start, line[:-1]) if payload is None else Record(payload, start)


def _checked(line: bytes) -> bytes | None:
    checksum, _, rest = line.partition(b" ")
    length, _, payload = rest.partition(b" ")
    return payload if (checksum, length) == (b"%08x" % zlib.crc32(payload), b"%d" % len(payload)) else None


@dataclass(frozen=True, slots=True)
class PlainLines:
    """A record is a line, without a checksum."""

    magic: bytes = b""

    def frame(self, payload: bytes, note: int = 0) -> bytes:  # noqa: ARG002  # lines have no note
        """Return the line."""
        return payload + b"\n"

    def scan(self, file: BinaryIO, start: int) -> Iterator[Record | Damage]:
        """Yield the lines up to the last line break."""
        for line in file:
            if not line.endswith(b"\n"):
                return
            start += len(line)
            yield Record(line[:-1], start)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that is one record. `magic` (8 bytes) and the version are checked before the payload.

    A file is written with `version`; every version from `oldest` on can be read.
    """

    magic: bytes
    version: int
    oldest: int = 0  # 0 means that only `version` can be read

    def wrap(self, payload: bytes) -> bytes:
        """Return the file's content."""
        return _SEAL.pack(self.magic, self.version, zlib.crc32(payload), len(payload)) + payload

    def unwrap(self, raw: bytes) -> tuple[int, bytes]:
        """Return version and payload; raise FramingError for anything that `wrap` did not return."""
        if len(raw) < _SEAL.size:
            raise FramingError(f"{len(raw)} bytes are too few; the file is cut off")
        magic, version, crc, length = _SEAL.unpack_from(raw)
        if magic != self.magic or not (self.oldest or self.version) <= version <= self.version:
            raise FramingError(f"not of version {self.version} (magic {quote_value(magic)}, version {version})")
        payload = raw[_SEAL.size :]
        if len(payload) != length:
            raise FramingError(f"cut off ({len(payload)} of {length} bytes)")
        if zlib.crc32(payload) != crc:
            raise FramingError(f"damaged ({length} bytes, wrong checksum)")
        return version, payload


_SEAL = struct.Struct("<8sHIQ")
