"""The file `fates`: the ledger's published totals, in a memory-mapped file that survives the process.

It stands in the shared folder, as old as the counter page, and has one writer: the lock on it keeps a second analyzer
out. Layout, in 64-bit words: magic, version, ledger id, number of names; then slots of a 56-byte name and its total.
A longer name is stored under its `counters.file_name`, so that its total survives, too.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Mapping
from pathlib import Path

from ..errors import UsageError, quote_value
from .counters import FILE_NAME_BYTES, file_name

TOTALS_FILE = "fates"
MAGIC, VERSION = 0x4641_5445_5346_4C50, 1
AT_MAGIC, AT_VERSION, AT_ID, AT_USED = range(4)
HEADER_WORDS, SLOT_WORDS, NAME_BYTES = 8, 8, FILE_NAME_BYTES
SIZE = 16384
SLOTS = (SIZE // 8 - HEADER_WORDS) // SLOT_WORDS


class TotalsFile:
    """Open, read once, then write after each checkpoint."""

    def __init__(self, path: Path) -> None:
        """Take the file at `path`, made anew when it is missing or strange; UsageError when another analyzer has it."""
        self._descriptor = open_locked(path, "--shared", SIZE)
        self._backing = mmap.mmap(self._descriptor, SIZE)
        self._words = memoryview(self._backing).cast("Q")
        self._slots: dict[str, int] = {}
        self._left_out: set[str] = set()
        if (self._words[AT_MAGIC], self._words[AT_VERSION]) != (MAGIC, VERSION) or self._words[AT_USED] > SLOTS:
            self._backing[:] = bytes(SIZE)
        for slot in range(self._words[AT_USED]):
            self._slots[self._name(slot)] = slot

    @property
    def problem(self) -> str:
        """Why some totals are only in the checkpoint; empty when all are in the file."""
        if not self._left_out:
            return ""
        example = quote_value(next(iter(self._left_out)))
        return f"{len(self._left_out)} totals, as {example}, have no room in the file {TOTALS_FILE} of {SLOTS} totals"

    def read(self) -> tuple[int, dict[str, int]] | None:
        """Return the ledger's id and totals; None when nothing was ever written."""
        if self._words[AT_MAGIC] != MAGIC:
            return None
        totals = {name: self._words[_total(slot)] for name, slot in self._slots.items()}
        return self._words[AT_ID], totals

    def write(self, ledger_id: int, totals: Mapping[str, int]) -> None:
        """Store the totals; each store is one aligned word, so that a kill leaves each total old or new."""
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
        """Unmap the file and give the lock back."""
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

    def _name(self, slot: int) -> str:
        start = (HEADER_WORDS + slot * SLOT_WORDS) * 8
        return self._backing[start : start + NAME_BYTES].rstrip(b"\0").decode("utf-8", "replace")


def _total(slot: int) -> int:
    return HEADER_WORDS + slot * SLOT_WORDS + NAME_BYTES // 8


def open_locked(path: Path, flag: str, size: int = 0) -> int:
    """Return the descriptor of the file at `path`, made if need be, of `size` bytes, and ours until it is closed.

    UsageError that names the command line's `flag` when the file cannot be had, or another process has it.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise UsageError(f"cannot use {quote_value(path)}: {error}; give a {flag} folder that is writable") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if size:
            os.ftruncate(descriptor, size)
            os.posix_fallocate(descriptor, 0, size)  # a store into a page that a full disk cannot give is a SIGBUS
    except OSError as error:
        os.close(descriptor)
        raise UsageError(
            f"cannot use {quote_value(path)}: {error}; has another analyzer the same {flag} folder?"
        ) from error
    return descriptor
