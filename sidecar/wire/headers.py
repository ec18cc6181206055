r"""Header blocks: the protocol-neutral form of header and trailer sections.

A header block is bytes: one line for each field, in the order of the message. A line is `name: value`, ended by LF or
CRLF. Names are in any case. White space around the value does not count. A line that begins with a space or a tab
continues the value of the line before (obs-fold, RFC 9112, 5.2). There is no start line and no empty line.

The field lines of an HTTP/1.1 message are such a block already, so the proxy copies them as they are. A parser of
another protocol writes the fields that it decoded with `encode_headers`, without pseudo-fields such as `:path`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_FOLD = (b" ", b"\t")
_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")  # in a value a recipient may replace them with spaces (RFC 9110, 5.5)


class Headers:
    r"""Reads the fields of a header block; names are case-insensitive and given in lower case.

    A look-up parses only the field that it asks for.

    >>> headers = Headers(b"Accept: text/html\r\nX-Id: 7\r\naccept: */*\r\n")
    >>> headers.get("x-id"), headers.get("accept"), headers.get("cookie")
    ('7', 'text/html', None)
    >>> headers.get_all("accept")
    ['text/html', '*/*']
    """

    __slots__ = ("_block", "_lowered")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._lowered = b"\n" + block.lower()  # behind a line feed, so that each field line begins behind one

    def get(self, name: str) -> str | None:
        """Return the value of the first field with this lower-case name, or None."""
        lowered = self._lowered
        key = _KEYS[name]
        at = lowered.find(key)
        if at < 0:
            return None
        at += len(key)
        end = lowered.find(b"\n", at)
        if end < 0 or lowered.startswith(_FOLD, end + 1):
            return self._value(at - 1)[0]
        return self._block[at - 1 : end - 1].strip().decode("latin-1")

    def begins(self, name: str, text: bytes) -> bool:
        """Return whether the value of the first field with this name begins with `text`; both are in lower case."""
        key, lowered = _KEYS[name], self._lowered
        at = lowered.find(key)
        return at >= 0 and lowered[at + len(key) :].lstrip(b" \t").startswith(text)

    def get_all(self, name: str) -> list[str]:
        """Return the values of all fields with this lower-case name, in order."""
        key, lowered, found = _KEYS[name], self._lowered, []
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

    def _value(self, at: int) -> tuple[str, int]:
        """Return the text from `at` to the end of the field, unfolded, and where the next line begins."""
        block, parts = self._block, []
        while True:
            following = block.find(b"\n", at) + 1 or len(block)
            parts.append(block[at:following].strip().decode("latin-1"))
            if not block.startswith(_FOLD, following):
                return " ".join(parts).strip(" "), following
            at = following


class _Keys(dict[str, bytes]):
    """How a field line begins, by name; the names come from the code and are few."""

    def __missing__(self, name: str) -> bytes:
        key = self[name] = b"\n%b:" % name.encode("latin-1")
        return key


_KEYS = _Keys()


def encode_headers(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the header block of `fields`; a line break within a value becomes a space."""
    return b"".join(
        b"%b: %b\r\n" % (name.encode("latin-1"), value.encode("latin-1").translate(_BREAKS)) for name, value in fields
    )
