"""The totals file `fates`: the ledger's published totals in a memory-mapped file that survives the process.

The checkpoint may be lost with its disk; this file lives and dies with the counter page in the shared folder, so the
accounting identity holds after every crash. A lock on the file keeps a second analyzer out.

Layout in 64-bit words: magic, version, ledger id, number of names; then slots of a 56-byte name and its total. The name
of a slot is `counters.file_name`. Each total is one aligned word, so a crash leaves it either old or new.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError, quote_value
from ..system.files import replace_file
from .counters import FILE_NAME_BYTES, file_name

TOTALS_FILE = "fates"
MAGIC, VERSION = 0x4641_5445_5346_4C50, 1
AT_MAGIC, AT_VERSION, AT_ID, AT_USED = range(4)
HEADER_WORDS, SLOT_WORDS, NAME_BYTES = 8, 8, FILE_NAME_BYTES
SIZE = 16384
LARGEST = 2**62  # a larger total is damage
SLOTS = (SIZE // 8 - HEADER_WORDS) // SLOT_WORDS


class TotalsFile:
    """The open file: `read` it once at the start, `write` it after each checkpoint, `close` it at the end."""

    def __init__(self, path: Path) -> None:
        """Open and lock the file at `path`; set its content aside and clear it when it is damaged.

        Raises UsageError when another analyzer holds the lock.
        """
        self._descriptor = open_locked(path, "--shared", SIZE)
        self._backing = mmap.mmap(self._descriptor, SIZE)
        self._words = memoryview(self._backing).cast("Q")
        self._slots: dict[str, int] = {}
        self._left_out: set[str] = set()
        self._damage = self._set_aside(path) if self._is_damaged() else ""
        if self._damage or (self._words[AT_MAGIC], self._words[AT_VERSION]) != (MAGIC, VERSION):
            self._backing[:] = bytes(SIZE)
        for slot in range(self._words[AT_USED]):
            self._slots[self._name(slot)] = slot

    @property
    def problem(self) -> str:
        """Why totals are missing, or only in the checkpoint; empty when the file holds all."""
        if not self._left_out:
            return self._damage
        example = quote_value(next(iter(self._left_out)))
        return (
            f"{len(self._left_out)} totals, such as {example}, do not fit into the file {TOTALS_FILE}, "
            f"which has room for {SLOTS}"
        )

    def read(self) -> tuple[int, dict[str, int]] | None:
        """Return the ledger's id and totals; None when the file is new."""
        if self._words[AT_MAGIC] != MAGIC:
            return None
        totals = {name: self._words[_total(slot)] for name, slot in self._slots.items()}
        return self._words[AT_ID], totals

    def write(self, ledger_id: int, totals: Mapping[str, int]) -> None:
        """Store the totals; another `ledger_id` than the stored one clears the file first."""
        if ledger_id != self._words[AT_ID]:
            self._words[AT_USED] = 0
            self._slots = {}
            self._left_out = set()
            self._words[AT_ID] = ledger_id
        for name, amount in totals.items():
            stored = file_name(name)
            slot = self._slots.get(stored)
            if slot is None:
                slot = self._add_slot(stored)
            if slot is None:
                self._left_out.add(name)
            else:
                self._words[_total(slot)] = amount
        self._words[AT_VERSION] = VERSION
        self._words[AT_MAGIC] = MAGIC

    def close(self) -> None:
        """Unmap the file and release the lock."""
        self._words.release()
        self._backing.close()
        os.close(self._descriptor)

    def _add_slot(self, name: str) -> int | None:
        slot = self._words[AT_USED]
        raw = name.encode()
        if slot >= SLOTS:
            return None
        start = (HEADER_WORDS + slot * SLOT_WORDS) * 8
        self._words[_total(slot)] = 0
        self._backing[start : start + NAME_BYTES] = raw.ljust(NAME_BYTES, b"\0")
        self._slots[name] = slot
        self._words[AT_USED] = slot + 1
        return slot

    def _is_damaged(self) -> bool:
        """Return whether the file holds something, but not what `write` leaves there."""
        words = self._words
        if (words[AT_MAGIC], words[AT_VERSION]) == (0, 0):  # new, or a crash came before the first `write` was done
            return False
        used = words[AT_USED]
        if (words[AT_MAGIC], words[AT_VERSION]) != (MAGIC, VERSION) or used > SLOTS or not 0 < words[AT_ID] < 2**63:
            return True
        try:
            for slot in range(used):
                self._raw_name(slot).decode()
        except UnicodeDecodeError:
            return True
        return any(words[_total(slot)] > LARGEST for slot in range(used))

    def _set_aside(self, path: Path) -> str:
        """Copy the damaged content to another file; return the problem."""
        copy = path.with_name(f"{path.name}.refused")
        try:
            replace_file(copy, bytes(self._backing), mode=0o600)
            where = f"it was copied to {quote_value(copy)}"
        except OSError as error:
            where = f"it cannot be copied: {error.strerror}"
        return f"the file {quote_value(path)} is damaged: totals start from zero; {where}"

    def _name(self, slot: int) -> str:
        return self._raw_name(slot).decode("utf-8", "replace")

    def _raw_name(self, slot: int) -> bytes:
        start = (HEADER_WORDS + slot * SLOT_WORDS) * 8
        return self._backing[start : start + NAME_BYTES].rstrip(b"\0")


def _total(slot: int) -> int:
    return HEADER_WORDS + slot * SLOT_WORDS + NAME_BYTES // 8


def open_locked(path: Path, flag: str, size: int = 0) -> int:
    """Open the file at `path`, lock it and extend it to `size` bytes; return its descriptor.

    Closing the descriptor releases the lock. Raises UsageError, which names the command-line `flag`, when the file
    cannot be opened or another process holds the lock.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(f"cannot open {quote_value(path)}: {error}; give a writable {flag} folder") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if size:
            os.ftruncate(descriptor, size)
            os.posix_fallocate(descriptor, 0, size)  # a store into an unallocated page on a full disk raises SIGBUS
    except OSError as error:
        os.close(descriptor)
        raise UsageError(
            f"cannot lock {quote_value(path)}: {error}; another analyzer may use the same {flag} folder"
        ) from error
    return descriptor
