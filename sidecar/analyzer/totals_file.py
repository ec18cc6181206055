"""The totals file `fates`: the ledger's published totals, which survive the process.

The checkpoint may be lost with its disk; this file lives and dies with the counter page in the shared folder, so the
accounting identity holds after every crash. A lock on the file keeps a second analyzer out.

Layout: two equal banks of BANK bytes. `write` replaces one after the other, so after a kill at any moment at least one
is whole. A bank has words of 64 bits: magic, version, ledger id, number of names, CRC-32 of the rest; then slots of a
56-byte name and its total. The name of a slot is `counters.file_name`. The magic is 0 while a bank is being written.
Version 1 was one bank without a checksum; it is read, too.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from ..errors import PilotfishError, UsageError, quote_value
from ..system.files import write_at
from ..system.lockedfile import open_locked, reopen_new
from .counters import FILE_NAME_BYTES, file_name

TOTALS_FILE = "fates"
MAGIC, VERSION = 0x4641_5445_5346_4C50, 2
LARGEST = 2**62  # a larger total is damage
BANK = 16384
SIZE = 2 * BANK
_HEADER = struct.Struct("<QQQQQ24x")
_SLOT = struct.Struct(f"<{FILE_NAME_BYTES}sQ")
_MAGIC = struct.Struct("<Q")
SLOTS = (BANK - _HEADER.size) // _SLOT.size

Bank = tuple[int, dict[str, int]]  # ledger id and totals


class BankError(PilotfishError):
    """A bank is damaged; the message is the reason."""


class TotalsFile:
    """The open file: `read` it at the start, `write` it after each checkpoint, `close` it at the end."""

    def __init__(self, path: Path) -> None:
        """Open, lock and read the file at `path`; set it aside and start a new one when it is damaged.

        Raises UsageError when another analyzer holds the lock.
        """
        self._path = path
        self._descriptor = lock_folder_file(path, "--shared")
        self._damage = self._problem = ""
        self._left_out: set[str] = set()
        self._found, reason = _read(self._descriptor)
        if reason:
            lost = "the other copy is used" if self._found else "totals start from zero"
            self._descriptor, where = reopen_new(path, self._descriptor)
            self._damage = f"the file {quote_value(path)} is damaged: {reason}: {lost}; {where}"

    @property
    def problem(self) -> str:
        """Why totals are missing, or only in the checkpoint; empty when the file holds all."""
        left_out = ""
        if self._left_out:
            example = quote_value(next(iter(self._left_out)))
            left_out = (
                f"{len(self._left_out)} totals, such as {example}, do not fit into the file {TOTALS_FILE}, "
                f"which has room for {SLOTS}"
            )
        return "; ".join(filter(None, (self._damage, self._problem, left_out)))

    def read(self) -> Bank | None:
        """Return the ledger's id and totals; None when the file is new."""
        return self._found

    def write(self, ledger_id: int, totals: Mapping[str, int]) -> None:
        """Replace the id and the totals; on an I/O error set `problem`."""
        stored = dict(list(totals.items())[:SLOTS])
        self._left_out = totals.keys() - stored.keys()
        self._found = ledger_id, {file_name(name): amount for name, amount in stored.items()}
        raw = render_bank(*self._found)
        try:
            for start in (0, BANK):
                write_at(self._descriptor, _MAGIC.pack(0), start)
                write_at(self._descriptor, raw[_MAGIC.size :], start + _MAGIC.size)
                write_at(self._descriptor, raw[: _MAGIC.size], start)
            self._problem = ""
        except OSError as error:
            self._problem = f"cannot write {quote_value(self._path)}: {error.strerror}"

    def close(self) -> None:
        """Close the file and release the lock."""
        os.close(self._descriptor)


def render_bank(ledger_id: int, totals: Mapping[str, int]) -> bytes:
    """Return a bank; each name has at most FILE_NAME_BYTES bytes."""
    slots = b"".join(_SLOT.pack(name.encode(), amount) for name, amount in totals.items())
    checksum = zlib.crc32(slots, zlib.crc32(struct.pack("<QQQ", VERSION, ledger_id, len(totals))))
    return _HEADER.pack(MAGIC, VERSION, ledger_id, len(totals), checksum) + slots


def parse_bank(raw: bytes) -> Bank | None:
    """Return id and totals in a bank; None when it is new, or a kill interrupted writing it; raise BankError."""
    magic, version, ledger_id, used, checksum = _HEADER.unpack_from(raw)
    if magic == 0 and (version in (0, 1, VERSION)):
        return None
    if magic != MAGIC or version not in (1, VERSION) or used > SLOTS or not 0 < ledger_id < 2**63:
        raise BankError("its header is not of this version")
    end = _HEADER.size + used * _SLOT.size
    slots = raw[_HEADER.size : end]
    expected = zlib.crc32(slots, zlib.crc32(struct.pack("<QQQ", version, ledger_id, used)))
    if version == VERSION and checksum != expected:
        raise BankError("its checksum is wrong")
    totals: dict[str, int] = {}
    for name, amount in _SLOT.iter_unpack(slots):
        if amount > LARGEST:
            raise BankError("a total is too large")
        try:
            totals[name.rstrip(b"\0").decode()] = amount
        except UnicodeDecodeError as error:
            raise BankError("a name is not UTF-8") from error
    return ledger_id, totals


def _read(descriptor: int) -> tuple[Bank | None, str]:
    """Return the content of the file, None if it is new or lost, and what is damaged; empty if nothing is."""
    raw = os.pread(descriptor, SIZE, 0).ljust(SIZE, b"\0")
    banks, reason = list[Bank](), ""
    for start in (0, BANK):
        try:
            if (bank := parse_bank(raw[start : start + BANK])) is not None:
                banks.append(bank)
        except BankError as error:
            reason = str(error)
    return banks[0] if banks else None, reason  # the first bank is written first


def lock_folder_file(path: Path, flag: str) -> int:
    """Open and lock the file at `path`, as `open_locked` does; raise UsageError, which names the option `flag`."""
    try:
        return open_locked(path)
    except OSError as error:
        locked = error.errno in (errno.EAGAIN, errno.ESTALE)
        remedy = f"give each analyzer its own {flag} folder" if locked else f"give a writable {flag} folder"
        what = "another analyzer uses it" if locked else error.strerror
        raise UsageError(f"cannot lock {quote_value(path)}: {what}; {remedy}") from error
