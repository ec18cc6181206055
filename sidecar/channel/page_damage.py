"""Finds damage to a counter page: another size or layout, a wrong checksum, counters that no proxy can reach."""

from __future__ import annotations

import os
import zlib

from . import layout as at

LARGEST = 2**62  # a larger counter is damage
LARGEST_AT_OPEN = 2**61  # leaves room to count on


def file_damage(descriptor: int) -> str:
    """Return why the file cannot be continued; empty for a page, and for an empty file."""
    size = os.fstat(descriptor).st_size
    if size == 0:
        return ""
    content = os.pread(descriptor, at.SIZE, 0)
    words = memoryview(content).cast("Q") if size == len(content) == at.SIZE else None
    if words is None:
        return f"it has {size} bytes instead of {at.SIZE}"
    if (words[at.AT_MAGIC], words[at.AT_LAYOUT]) != (at.MAGIC, at.LAYOUT):
        return "it has another layout" if any(content) else ""
    return damage(words, most=LARGEST_AT_OPEN)


def damage(words: memoryview, *, consistent: bool = True, most: int = LARGEST) -> str:
    """Return what is wrong with the counters; empty for those of a page. Only a consistent copy fits its checksum."""
    if words[at.AT_SEALED] == at.DAMAGED:
        return "another process changed it"
    if consistent and words[at.AT_SEALED] == words[at.AT_LOCK] and words[at.AT_SEAL] != checksum(words):
        return "its checksum is wrong"
    return "a counter is too large" if _has_larger(words, most) else ""


def checksum(words: memoryview) -> int:
    """Return the checksum of the sealed words."""
    found = 0
    for start, end in at.SEALED_RUNS:
        found = zlib.crc32(words[start:end], found)
    return found


def _has_larger(words: memoryview, most: int) -> bool:
    """Return whether a word is greater than `most`. A store beyond 64 bits would raise."""
    used = [range(at.AT_LOCK, at.AT_SEAL), range(at.AT_CONNECTIONS, at.AT_SLOTS)]
    for slot in range(at.SLOTS):
        base = at.AT_SLOTS + slot * at.SLOT_WORDS
        used.append(range(base + at.SLOT_NAME + at.NAME_WORDS, base + at.SLOT_WORDS))
    return any(max(words[part.start : part.stop]) > most for part in used if part)
