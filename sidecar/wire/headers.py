r"""Header blocks: the protocol-neutral form of header and trailer sections.

A header block is a byte string with one line for each field, in the order of the message. A line is `name: value` and
ends in LF or CRLF. Names are case-insensitive. White space around the value is ignored. A line that begins with a space
or a tab continues the value of the previous line (obs-fold, RFC 9112, 5.2). A block has neither a start line nor an
empty line.

The field lines of an HTTP/1.1 message already form a header block, so the proxy copies them unchanged. A parser of
another protocol encodes its decoded fields with `encode_headers`, without pseudo-fields such as `:path`. The decoders
in the analyzer read the blocks through `Headers` and never search the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_FOLD = (b" ", b"\t")
_BREAKS = bytes.maketrans(b"\r\n\0", b"   ")  # RFC 9110, 5.5: a recipient may replace these with spaces


class Headers:
    r"""The fields of a header block. Names are case-insensitive; pass them in lower case.

    A look-up parses only the requested field.

    >>> headers = Headers(b"Accept: text/html\r\nX-Id: 7\r\naccept: */*\r\n")
    >>> headers.get("x-id"), headers.get("accept"), headers.get("cookie")
    ('7', 'text/html', None)
    >>> headers.get_all("accept")
    ['text/html', '*/*']
    """

    __slots__ = ("_block", "_lowered")

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._lowered = b"\n" + block.lower()  # with a leading LF, so that an LF precedes every field line

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
        """Return whether the value of the first field with this name begins with `text`. Pass both in lower case."""
        key, lowered = _KEYS[name], self._lowered
        at = lowered.find(key)
        if at < 0:
            return False
        at += len(key)
        while lowered.startswith(_FOLD, at):  # white space before the value
            at += 1
        return lowered.startswith(text, at)

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
        """Yield each field as (lower-case name, value), in order. Lines without a colon are skipped."""
        at = 0
        while at < len(self._block):
            line, at = self._value(at)
            name, colon, value = line.partition(":")
            if colon:
                yield name.lower(), value.strip(" \t")

    def _value(self, at: int) -> tuple[str, int]:
        """Return the text from `at` to the end of the field, unfolded, and the position of the next line."""
        block, parts = self._block, []
        while True:
            following = block.find(b"\n", at) + 1 or len(block)
            parts.append(block[at:following].strip().decode("latin-1"))
            if not block.startswith(_FOLD, following):
                return " ".join(parts).strip(" "), following
            at = following


class _Keys(dict[str, bytes]):
    """The first bytes of a field line, by name. The names are constants of the code, so this cache stays small."""

    def __missing__(self, name: str) -> bytes:
        key = self[name] = b"\n%b:" % name.encode("latin-1")
        return key


_KEYS = _Keys()


def encode_headers(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the header block of `fields`. A line break within a value becomes a space."""
    return b"".join(
        b"%b: %b\r\n" % (name.encode("latin-1"), value.encode("latin-1").translate(_BREAKS)) for name, value in fields
    )
