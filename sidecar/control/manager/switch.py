"""The kill switch of the cluster and the pause of one monitor: nothing is acted on, everything is still measured.

The kill switch is a file, usually a key of a ConfigMap that is mounted as a volume. It is read in each cycle, so that
it works without the API server. A file that cannot be read stops all actions: the switch fails to the safe side.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ...errors import quote_value
from ...system.files import read_file

_LOG = logging.getLogger("pilotfish.control")

PAUSED = "pilotfish.dev/paused"  # annotation of a ModelMonitor
MAX_SWITCH_BYTES = 1024
_OFF = frozenset(("0", "false", "no", "off"))


def is_on(text: str) -> bool:
    """Return whether the value of a switch stops actions: anything except `false`, `no`, `off` and `0` does."""
    return text.strip().lower() not in _OFF


def is_paused(annotations: Mapping[str, str] | None) -> bool:
    """Return whether the annotation `pilotfish.dev/paused` pauses the monitor."""
    text = (annotations or {}).get(PAUSED)
    return text is not None and is_on(text)


@lru_cache(maxsize=16)
def _report(path: Path, why: str) -> None:
    """Log once that the switch cannot be read."""
    _LOG.error("the kill switch %s cannot be read, so nothing is acted on: %s", quote_value(path), why)


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """The kill switch in the file `path`; None means that there is none."""

    path: Path | None

    def on(self) -> bool:
        """Return whether the file exists and its content does not switch it off."""
        if self.path is None:
            return False
        try:
            return is_on(read_file(self.path, MAX_SWITCH_BYTES, follow=True).decode("utf-8", "replace"))
        except FileNotFoundError:
            return False
        except OSError as error:
            _report(self.path, error.strerror or str(error))
            return True
