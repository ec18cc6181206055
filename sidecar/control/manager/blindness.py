"""What of a fleet is not measured, as blind spots for notifications and the status. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import quote_value
from ...report.schema import BlindSpot
from ..fleet.status import FleetStatus
from .core import MonitorCore
from .trouble import Trouble

BYPASSED = "bypassed"


def held(status: FleetStatus) -> str:
    """Return which tick stays open, and what it lacks."""
    return (
        f"tick {status.holding_tick} stays open: less than the quorum of the pods that served it have sent counts "
        f"of it; {status.heard} of {status.expected} pods were heard lately"
    )


def blind_spots(core: MonitorCore, target: Trouble | None, bypass: str, now: float) -> Iterator[BlindSpot]:
    """Yield the blind spots at `now`, in epoch seconds.

    `target` is why the target cannot be used, `bypass` which Service goes past the proxies.
    """
    if core.document is None:
        yield BlindSpot(reason="idle", text=core.problem, since=now, total=True)
        return
    if target is not None and not core.pods:
        yield BlindSpot(reason="fleet_silent", text=target.text, since=now, total=True)
    if bypass:
        yield BlindSpot(reason=BYPASSED, text=bypass, since=now, total=True)
    state, status = core.versions.get(core.primary or ""), core.status(core.primary)
    if status is not None and status.holding:
        yield BlindSpot(reason="fleet_silent", text=held(status), since=now, total=not status.heard)
    elif status is None and core.document.monitor.spec.profiles and core.pods:
        # a profile that is being learned or fetched is on its way: not blind
        if state is not None and state.trouble is not None:
            yield BlindSpot(reason="no_profile", text=state.trouble.text, since=now, total=False)
        elif core.primary not in core.wanted:
            text = f"spec.profiles names no profile for the version {quote_value(core.primary)} of the pods"
            yield BlindSpot(reason="no_profile", text=text, since=now, total=False)
