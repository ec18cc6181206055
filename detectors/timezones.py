"""Time zones: the hours that people keep, from the IANA database.

`DriftSettings` and the slots of a profile name their zone. The database is the machine's, or the package `tzdata`.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from .batch import Floats
from .errors import DetectorError, shown

UTC = "UTC"
OFFSET_SECONDS = 900.0  # clocks differ from UTC by multiples of it, and change at multiples of it


@lru_cache(maxsize=8)
def time_zone(name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        DetectorError: the name is not known on this machine.
    """
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as error:
        raise DetectorError(
            f"the time zone {shown(name)} is not known; give a name of the IANA database, such as Europe/Berlin"
        ) from error


def local_seconds(seconds: Floats, timezone: str) -> Floats:
    """Return epoch seconds [times] plus the seconds by which the clocks of a zone are ahead of UTC.

    Example:
        >>> import numpy as np
        >>> from pilotfish.detectors.timezones import local_seconds
        >>> (local_seconds(np.array([0.0, 1750000000.0]), "Europe/Berlin") - [0, 1750000000]).tolist()
        [3600.0, 7200.0]
    """
    if timezone == UTC:
        return seconds
    zone = time_zone(timezone)
    quarters, position = np.unique(np.floor(seconds / OFFSET_SECONDS), return_inverse=True)
    offsets = np.array([_offset(quarter * OFFSET_SECONDS, zone) for quarter in quarters.tolist()])
    out: Floats = seconds + offsets[position]
    return out


def _offset(seconds: float, zone: ZoneInfo) -> float:
    """Return the seconds by which the clocks of a zone are ahead of UTC; 0 in years that calendars do not have."""
    try:
        offset = datetime.fromtimestamp(seconds, zone).utcoffset()
    except (OSError, OverflowError, ValueError):
        return 0.0
    return 0.0 if offset is None else offset.total_seconds()
