"""The errors of the statistics library; each says what, where, the value and the remedy."""

from __future__ import annotations

SHOWN_CHARACTERS = 80


class DetectorError(Exception):
    """The root of every error that this package raises on purpose."""


class BatchError(DetectorError):
    """A batch contradicts itself, for example by columns of different lengths."""


class ProfileError(DetectorError):
    """A profile document, or the rows that one should be built from, cannot be used."""


class CountsMismatchError(DetectorError):
    """Counts of two different profiles were to be combined."""


class StateError(DetectorError):
    """A stored state does not fit, or an operation came out of turn."""


def shown(value: object) -> str:
    """`repr` of a value, cut so that no message grows with its data."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
