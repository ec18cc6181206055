"""Errors of the statistics library.

All errors that the package raises on purpose have one base class, so callers need one `except`. A message states what
failed, the value, the reason and the remedy; `shown` truncates values.
"""

from __future__ import annotations

SHOWN_CHARACTERS = 80


class DetectorError(Exception):
    """Base class of all errors that this package raises on purpose."""


class BatchError(DetectorError):
    """A batch is inconsistent, for example its columns differ in length."""


class ProfileError(DetectorError):
    """A profile document, or the reference rows for a new profile, cannot be used."""


class CountsMismatchError(DetectorError):
    """Counts of two different profiles cannot be combined."""


class StateError(DetectorError):
    """A stored state does not fit, or an operation came in the wrong order."""


def shown(value: object) -> str:
    """Return the `repr` of a value, truncated to 80 characters."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
