"""The upstreams that the proxy cannot reach, with the reasons: a small file beside the counter page.

The page has their number only, because it holds no text. The proxy replaces the file when they change, and the analyzer
reads it when the page counts one. The epoch in the file identifies the proxy that wrote it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..system.files import read_file, replace_file
from .peers import FILE_MODE

MOST = 16  # upstreams in the file
MAX_BYTES = 64 * 1024
LONGEST = 200  # characters of an address or a reason


class UnreachableUpstream(NamedTuple):
    """An upstream that the proxy cannot reach: its address, and why the last attempt to connect failed."""

    address: str
    reason: str


def write_unreachable(path: Path, epoch: int, found: Sequence[UnreachableUpstream]) -> None:
    """Replace the file at `path`; raise OSError. Long texts are truncated, and further upstreams left out."""
    items = [[text[:LONGEST] for text in upstream] for upstream in found[:MOST]]
    replace_file(path, json.dumps({"epoch": epoch, "unreachable": items}).encode(), mode=FILE_MODE)


def read_unreachable(path: Path, epoch: int) -> tuple[UnreachableUpstream, ...]:
    """Return the upstreams in the file of the proxy with this `epoch`; () without one, or if it is damaged."""
    try:
        document = json.loads(read_file(path, MAX_BYTES))
        if document["epoch"] != epoch:
            return ()
        found = [UnreachableUpstream(*(text[:LONGEST] for text in item)) for item in document["unreachable"][:MOST]]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ()
    return tuple(found) if all(type(text) is str for upstream in found for text in upstream) else ()
