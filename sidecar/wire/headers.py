r"""Header blocks: the protocol-neutral form of header and trailer sections.

A header block is bytes: one line for each field, in the order of the message. A line is `name: value`, ended by LF or
CRLF. Names are in any case. White space around the value does not count. A line that begins with a space or a tab
continues the value of the line before (obs-fold, RFC 9112, 5.2). There is no start line and no empty line.

The field lines of an HTTP/1.1 message are such a block already, so the proxy copies them as they are. A parser of
another protocol writes the fields that it decoded with `encode_headers`, without pseudo-fields such as `:path`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

_FOLD = (b" ", b"\t")
_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")  # in a value a recipient may replace them with spaces (RFC 9110, 5.5)


class Headers:
    r"""Reads the fields of a header block; names are case-insensitive and given in lower case.

    A look-up finds only the field that it asks for. Nothing is parsed before the first look-up.

    >>> headers = Headers(b"Accept: text/html\r\nX-Id: 7\r\naccept: */*\r\n")
    >>> headers.get("x-id"), headers.get("accept"), headers.get("cookie")
    ('7', 'text/html', None)
    >>> headers.get_all("accept")
    ['text/html', '*/*']
    """

    __slots__ = ("_block", "_lowered")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._lowered: bytes | None = None

    def get(self, name: str) -> str | None:
        """Return the value of the first field with this lower-case name, or None."""
        key = _key(name)
        at = self._lower().find(key)
        return None if at < 0 else self._value(at + len(key) - 1)[0]

    def get_all(self, name: str) -> list[str]:
        """Return the values of all fields with this lower-case name, in order."""
        key, lowered, found = _key(name), self._lower(), []
        at = lowered.find(key)
        while at >= 0:
            value, following = self._value(at + len(key) - 1)
            found.append(value)
            at = lowered.find(key, following)
        return found

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Yield each field as (lower-case name, value), in order; a line without a colon is not a field."""
        at = 0
        while at < len(self._block):
            line, at = self._value(at)
            name, colon, value = line.partition(":")
            if colon:
                yield name.lower(), value.strip(" \t")

    def _lower(self) -> bytes:
        """Return the block in lower case behind a line feed, so that each field line begins behind one."""
        lowered = self._lowered
        if lowered is None:
            lowered = self._lowered = b"\n" + self._block.lower()
        return lowered

    def _value(self, at: int) -> tuple[str, int]:
        """Return the text from `at` to the end of the field, unfolded, and where the next line begins."""
        block, parts = self._block, []
        while True:
            following = block.find(b"\n", at) + 1 or len(block)
            parts.append(block[at:following].strip(b"\r\n \t").decode("latin-1"))
            if block[following : following + 1] not in _FOLD:
                return " ".join(parts) if len(parts) > 1 else parts[0], following
            at = following


@lru_cache(256)
def _key(name: str) -> bytes:
    return b"\n%b:" % name.encode("latin-1")


def encode_headers(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the header block of `fields`; a line break within a value becomes a space."""
    return b"".join(
        b"%b: %b\r\n" % (name.encode("latin-1"), value.encode("latin-1").translate(_BREAKS)) for name, value in fields
    )
