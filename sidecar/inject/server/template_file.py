"""The template of the sidecars from a file, which is read again when it changes, as a ConfigMap volume does."""

from __future__ import annotations

import os
from pathlib import Path

from ...errors import PilotfishError, UsageError, quote_value
from ...settings.yamltree import read_tree
from ...system.files import read_file
from ..template import SidecarTemplate, parse_template

MAX_BYTES = 1024 * 1024  # of a ConfigMap


class TemplateFile:
    """The template in force. `current` reads the file again if it has changed.

    Attributes:
        problem: why the changed file is not in force; empty otherwise.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; raise PilotfishError if it cannot be used."""
        self._path = path
        self._signature = self._sign()
        self._template = _read(path)
        self.problem = ""

    def current(self) -> SidecarTemplate:
        """Return the template of the present file, or the last usable one."""
        signature = self._sign()
        if signature != self._signature:
            self._signature = signature
            try:
                self._template, self.problem = _read(self._path), ""
            except PilotfishError as error:
                self.problem = f"{error}; the previous template stays in force"
        return self._template

    def _sign(self) -> tuple[object, ...]:
        """Return a value that changes with the file; a ConfigMap volume replaces a link on its path."""
        try:
            status = os.stat(self._path)
        except OSError as error:
            return (error.errno,)
        return (status.st_ino, status.st_size, status.st_mtime_ns)


def _read(path: Path) -> SidecarTemplate:
    try:
        raw = read_file(path, MAX_BYTES, follow=True)
    except OSError as error:
        raise UsageError(
            f"cannot read the template of the sidecars {quote_value(path)}: {error.strerror}; give the file "
            "sidecar.yaml of the chart by --template"
        ) from error
    return parse_template(read_tree(raw, str(path)).root)
