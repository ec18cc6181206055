"""Which samples of the driver are new: it stamps them by its own clock, which can be set back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SET_BACK = 10_000_000  # microseconds; a clock that is corrected by less is waited for
FIRST = 1_000_000  # microseconds before the newest sample that are used if none was seen yet


class NewestStamp:
    """The time of the newest sample so far, in microseconds of the driver's clock."""

    def __init__(self) -> None:
        self._newest = 0
        self._asks_for_all = True

    @property
    def since(self) -> int:
        """The time to ask the driver for, which returns later samples only.

        It is 0 after a call without a new sample: if the clock was set back, the driver has only earlier ones.
        """
        return 0 if self._asks_for_all else self._newest

    def take_new(self, stamps: Sequence[int]) -> list[int]:
        """Return the places of the new samples in `stamps`, and remember the newest one."""
        newest = max(stamps, default=0)
        if newest < self._newest - SET_BACK and newest:
            self._newest = 0
        after = self._newest or newest - FIRST
        found = [place for place, stamp in enumerate(stamps) if stamp > after]
        self._asks_for_all = not found
        self._newest = max(newest, self._newest)
        return found
