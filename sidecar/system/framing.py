r"""Record formats that stay readable after a kill, a full disk or a flipped bit. `logfile` does the file access.

BinaryFrames   u32 length [u32 note] u32 CRC-32 payload     little endian; no payload is empty
LineFrames     CRC-32 in hex, length, payload, line break
JsonLines      {..., "crc32": "1c291ca3"}, line break       for files that people read
Sealed         magic, u16 version, u32 CRC-32, u64 length, payload: a whole file that is one record

A damaged record is reported, and reading continues after it. Reading ends where a binary record has a damaged length:
a search for the next record could find one that a client has hidden in a value.

These formats are on users' disks. Change one only together with a reader of the old format.
"""

from __future__ import annotations

import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple, Protocol

from ..errors import PilotfishError, quote_value

LARGEST_RECORD = 2**32 - 1


class FramingError(PilotfishError):
    """Bytes that do not match their framing. The message begins with the defect, so that a caller can add the file."""


class FramedRecord(NamedTuple):
    """A whole record. `end` is the offset after it; `note` is the number stored with it, 0 without one."""

    payload: bytes
    end: int
    note: int = 0


class Damage(NamedTuple):
    """Damaged records, from the end of the record before them to `end`, where reading continues.

    `place` names the first one in messages; `raw` is the line, if it is one.
    """

    place: str
    end: int
    raw: bytes = b""


class Framing(Protocol):
    """A format of records for log files; each file begins with `magic`."""

    @property
    def magic(self) -> bytes:
        """The first bytes of a file; may be empty."""

    def frame(self, payload: bytes, note: int = 0) -> bytes:
        """Return the record's bytes."""

    def scan(self, file: BinaryIO, start: int) -> Iterator[FramedRecord | Damage]:
        """Yield the records and damages in `file` from its current position, the offset `start`, on.

        Bytes after the `end` of the last item are a cut-off record.
        """


@dataclass(frozen=True, slots=True)
class BinaryFrames:
    """Length, CRC-32 and payload. With `noted`, a u32 note (a row count) follows the length.

    `largest` is the maximum length of a payload, in bytes.
    """

    magic: bytes = b""
    noted: bool = False
    largest: int = LARGEST_RECORD

    @property
    def overhead(self) -> int:
        """Bytes of a record in addition to its payload."""
        return self._header.size

    @property
    def _header(self) -> struct.Struct:
        return _NOTED if self.noted else _BARE

    def frame(self, payload: bytes, note: int = 0) -> bytes:
        """Return the record's bytes; raise FramingError for an empty payload, and for one larger than `largest`."""
        if not payload:
            raise FramingError("a record of 0 bytes is refused; it would look like a file that was filled with zeros")
        if len(payload) > self.largest:
            raise FramingError(f"a record of {len(payload)} bytes is too large; at most {self.largest} are allowed")
        numbers = (len(payload), note, zlib.crc32(payload)) if self.noted else (len(payload), zlib.crc32(payload))
        return self._header.pack(*numbers) + payload

    def scan(self, file: BinaryIO, start: int) -> Iterator[FramedRecord | Damage]:
        """Yield whole records. One Damage stands for all damaged records up to the next whole one or the end."""
        header, damaged_at = self._header, -1
        begin = file.tell() - start
        while len(head := file.read(header.size)) == header.size:
            length, *note, crc = header.unpack(head)
            if not 0 < length <= self.largest:
                damaged_at = start if damaged_at < 0 else damaged_at
                break
            payload = _read(file, length)
            if len(payload) != length:
                break
            end = start + header.size + length
            if zlib.crc32(payload) != crc:
                damaged_at = start if damaged_at < 0 else damaged_at
            else:
                if damaged_at >= 0:
                    yield Damage(f"byte {damaged_at}", start)
                    damaged_at = -1
                yield FramedRecord(payload, end, *note)
            start = end
        if damaged_at >= 0:
            yield Damage(f"byte {damaged_at}", file.seek(0, os.SEEK_END) - begin)


def _read(file: BinaryIO, length: int) -> bytes:
    """Return up to `length` bytes in portions, since a damaged length must not reserve memory."""
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

    def scan(self, file: BinaryIO, start: int) -> Iterator[FramedRecord | Damage]:
        """Yield the lines up to the last line break; a Damage names its line by number."""
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            start += len(line)
            payload = _checked(line[:-1])
            yield Damage(f"line {number}", start, line[:-1]) if payload is None else FramedRecord(payload, start)


def _checked(line: bytes) -> bytes | None:
    checksum, _, rest = line.partition(b" ")
    length, _, payload = rest.partition(b" ")
    return payload if (checksum, length) == (b"%08x" % zlib.crc32(payload), b"%d" % len(payload)) else None


@dataclass(frozen=True, slots=True)
class JsonLines:
    r"""`{"time":1,"crc32":"1c291ca3"}\n`: a JSON object per line, whose last member is the CRC-32 of the others.

    A line without this member is read without a check: a person or an earlier version wrote it.
    """

    magic: bytes = b""

    def frame(self, payload: bytes, note: int = 0) -> bytes:  # noqa: ARG002  # lines have no note
        """Return the line; `payload` is a JSON object with at least one member."""
        return payload[:-1] + b',"crc32":"%08x"}\n' % zlib.crc32(payload)

    def scan(self, file: BinaryIO, start: int) -> Iterator[FramedRecord | Damage]:
        """Yield the lines up to the last line break, without the checksum; a Damage names its line by number."""
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            start += len(line)
            found = _CHECKED_OBJECT.fullmatch(line[:-1])
            payload = found[1] + b"}" if found else line[:-1]
            if found and found[2] != b"%08x" % zlib.crc32(payload):
                yield Damage(f"line {number}", start, line[:-1])
            else:
                yield FramedRecord(payload, start)


_CHECKED_OBJECT = re.compile(rb'(.*),"crc32":"([^"]*)"\}', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A file that is one record. `magic` (8 bytes) and the version are checked before the payload.

    `wrap` writes `version`; `unwrap` reads the versions from `oldest` to `version`.
    """

    magic: bytes
    version: int
    oldest: int = 0  # 0: only `version` is readable

    def wrap(self, payload: bytes) -> bytes:
        """Return the file's content."""
        return _SEAL.pack(self.magic, self.version, zlib.crc32(payload), len(payload)) + payload

    def unwrap(self, raw: bytes) -> tuple[int, bytes]:
        """Return version and payload; raise FramingError if `raw` is not a result of `wrap`."""
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
