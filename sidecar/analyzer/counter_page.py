"""Reads what the proxy writes into the shared folder: its counter page, and the upstreams that it cannot reach."""

from __future__ import annotations

from pathlib import Path

from ..channel import UPSTREAMS_FILE
from ..channel.page import PageError, PageSnapshot
from ..channel.page_reader import PageReader
from ..channel.upstreams import UnreachableUpstream, read_unreachable


def read_counters(reader: PageReader) -> tuple[PageSnapshot | None, str]:
    """Return the counter page, or None and the reason, such as no proxy yet, or one of another version."""
    try:
        return reader.read(), ""
    except PageError as error:
        return None, str(error)


def read_upstreams(shared: Path, page: PageSnapshot | None) -> tuple[UnreachableUpstream, ...]:
    """Return the unreachable upstreams; empty without a page."""
    if page is None or not page.connections["upstreams_unreachable"]:
        return ()
    return read_unreachable(shared / UPSTREAMS_FILE, page.epoch)
