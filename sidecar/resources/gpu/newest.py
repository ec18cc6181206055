"""Which samples of the driver are new: it stamps them by its own clock, which can be set back. Pure."""

from __future__ import annotations

from collections.abc import Sequence

SET_BACK = 10_000_000  # microseconds; a clock that is corrected by less is waited for
AHEAD = 10_000_000  # microseconds; a stamp that is later than now by more is wrong, unless all are
FIRST = 1_000_000  # microseconds before the newest sample that are used if none was seen yet


class NewestStamp:
    """The time of the newest sample so far, in microseconds of the driver's clock.

    A clock that is set ahead and back again repeats nothing: the newest stamp of the past and the newest one from the
    future are remembered apart.

    Attributes:
        rejected: number of stamps of the last call that cannot be: 0, or in the future.
    """

    def __init__(self) -> None:
        self.rejected = 0
        self._marks: list[int] = []  # the newest of the past and the newest of the future; that of the last call last
        self._asks_for_all = True

    @property
    def since(self) -> int:
        """The time to ask the driver for, which returns later samples only.

        It is 0 after a call without a new sample: if the clock was set back, the driver has only earlier ones.
        """
        return 0 if self._asks_for_all else self._marks[-1]

    def take_new(self, stamps: Sequence[int], now: int) -> list[int]:
        """Return the places of the new samples in `stamps`, and remember the newest one.

        `now` is the time of this machine in microseconds. One sample with a stamp far ahead of it must not make all
        others look old. If all stamps are ahead, the driver has another clock.
        """
        latest = now + AHEAD
        stamped = [stamp for stamp in stamps if stamp > 0]
        possible = [stamp for stamp in stamped if stamp <= latest] or stamped
        self.rejected = len(stamps) - len(possible)
        newest = max(possible, default=0)
        ahead = newest > latest
        mark = max((mark for mark in self._marks if (mark > latest) == ahead), default=0)
        if newest < mark - SET_BACK:
            mark = 0
        after = max(0, mark or newest - FIRST)
        found = [place for place, stamp in enumerate(stamps) if after < stamp <= newest]
        if newest:
            others = [other for other in self._marks if (other > latest) != ahead]
            self._marks = [*others, max(newest, mark)]
        self._asks_for_all = not found
        return found
