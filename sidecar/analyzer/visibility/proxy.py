"""Conditions about the processes: idle analyzer, proxy, its connections to analyzer and model."""

from __future__ import annotations

from ...errors import number
from .blindness import LISTED, Blindness
from .history import Totals
from .readings import View
from .shares import unmeasured

REFUSED_SHARE = 0.1  # of the clients that connect


def idle(view: View) -> Blindness | None:
    """Report that nothing is decoded, because document or profile cannot be used."""
    report = view.reading.report
    if report.state != "idle":
        return None
    return Blindness(f"Nothing is measured: {report.reason}", total=True)


def no_proxy(view: View) -> Blindness | None:
    """Report that no proxy of this version writes the counter page."""
    reading = view.reading
    if reading.proxy is not None:
        return None
    if reading.page is None:
        what = reading.page_problem or "the --shared folder has no counter page of this version"
        return Blindness(
            f"Nothing is measured: {what}; start pilotfish proxy of the same release with the same --shared folder",
            total=True,
        )
    age = reading.now - reading.page.heartbeat_ns / 1e9
    return Blindness(f"Nothing is measured: the heartbeat of the proxy is {age:.0f} s old; start it again", total=True)


def no_reader(view: View) -> Blindness | None:
    """Report that the proxy runs and has no connection to the analyzer."""
    reading, proxy = view.reading, view.reading.proxy
    if proxy is None or reading.report.state == "idle" or (proxy.has_reader and reading.connected):
        return None
    return Blindness(
        "Nothing is measured: the proxy is not connected to the analyzer and drops every record (no_reader); "
        "start both with the same --shared folder",
        total=True,
    )


def upstream_unreachable(view: View) -> Blindness | None:
    """Report that the proxy cannot connect to the model server."""
    proxy = view.reading.proxy
    unreachable = proxy.connections["upstreams_unreachable"] if proxy is not None else 0
    if proxy is None or not unreachable:
        return None
    upstreams = max(unreachable, proxy.connections["upstreams"])
    named = ", ".join(f"{item.address} ({item.reason})" for item in view.reading.unreachable[:LISTED])
    return Blindness(
        f"The proxy cannot connect to the model server: {unreachable} of {number(upstreams, 'upstream')} refused the "
        f"last attempt or did not answer{': ' if named else ''}{named}; start the model server, and check --upstream",
        total=unreachable == upstreams,
    )


def refused(view: View) -> Blindness | None:
    """Report that the proxy resets clients because of a limit of its own: they reach neither model nor counters."""
    if view.reading.proxy is None:
        return None
    window = unmeasured(view, "refused", lambda totals: totals.of("clients", "accepted"), _refused, REFUSED_SHARE)
    if window is None:
        return None
    without = window.of("clients", "descriptors")
    above = window.of("clients", "limit")
    causes = (
        (without, f"{without} for lack of a free descriptor (raise the limit of open files)"),
        (above, f"{above} above the limit of connections (raise --max-connections, or the limit of open files)"),
    )
    named = ", ".join(text for amount, text in causes if amount)
    return Blindness(f"The proxy could not serve {number(_refused(window), 'recent client')}: {named}", total=False)


def _refused(totals: Totals) -> int:
    return totals.of("clients", "descriptors") + totals.of("clients", "limit")
