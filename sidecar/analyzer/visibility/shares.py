"""The rule of all conditions about a share of events (exchanges, rows, labels) that are not measured.

    blind          none of the last RECENT events is measured (FIRST, if nothing has ever been measured)
    partly blind   among the last MANY events, the share that is not measured reaches a bound
    over           all of the last RECENT events are measured (SETTLED, if the bound is below a half), or the share is
                   below half the bound

The distance between the two bounds keeps mixed traffic from opening and closing a blind spot again and again. With a
bound of a tenth, 20 measured events in a row are frequent beside unmeasured ones, and SETTLED are not.
"""

from __future__ import annotations

from .history import Measure, Totals
from .readings import View

FIRST = 5
RECENT = 20
SETTLED = 50
MANY = 100
HALF = 0.5


def unmeasured(
    view: View, reason: str, good: Measure, bad: Measure, bound: float = HALF, *, readings: int = 1
) -> Totals | None:
    """Return the window in which too few events are measured; None if enough are, or there are too few events.

    `good` counts the measured events of a window, `bad` the others; `reason` is the reason of the blind spot. Nothing
    is measured if `good` of the window is 0. With `readings`, RECENT events in fewer readings are not enough: one
    connection can make them in a moment in which all others pause.
    """

    def events(totals: Totals) -> int:
        return good(totals) + bad(totals)

    history = view.history
    last = history.recent(events, RECENT, readings) if good(history.now) else history.recent(events, FIRST)
    if last is None:
        return None
    if not good(last):
        return last
    settled = last if bound >= HALF else history.recent(events, SETTLED) or history.now
    if not bad(settled):
        return None
    window = history.recent(events, MANY, readings) or history.now
    bound = bound / 2 if reason in view.present else bound
    return window if events(window) >= RECENT and bad(window) >= bound * events(window) else None
