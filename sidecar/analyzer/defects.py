"""Logs defects that must not end the worker: each place once, since one body may follow another."""

from __future__ import annotations

import logging

from ..errors import error_location

_LOG = logging.getLogger("pilotfish.analyzer")
MOST_PLACES = 100
_logged: set[str] = set()


def log_defect(what: str, error: Exception) -> None:
    """Log the class and the place of `error`, without its message, which may contain a part of a body."""
    found = f"{type(error).__name__} at {error_location(error)}"
    if found not in _logged and len(_logged) < MOST_PLACES:
        _logged.add(found)
        _LOG.error("%s: %s; this is a defect, please report it; it is counted, and not logged again", what, found)
