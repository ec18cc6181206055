"""The dashboards in this package, as JSON in Grafana's classic schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from ..errors import UsageError, quote_value

PREFIX = "pilotfish-"  # of each uid; the rest is the name of the file, and the name in commands


@dataclass(frozen=True, slots=True)
class DashboardFile:
    """One dashboard: its name in commands, and its JSON."""

    name: str
    text: str

    @property
    def content(self) -> dict[str, Any]:
        """The parsed JSON."""
        parsed: dict[str, Any] = json.loads(self.text)
        return parsed


def load(names: Sequence[str] = ()) -> tuple[DashboardFile, ...]:
    """Return the dashboards `names` in this order, or all by name; raise UsageError for an unknown name."""
    folder = resources.files(__package__).joinpath("data")
    found = {
        path.name.removesuffix(".json"): path
        for path in sorted(folder.iterdir(), key=lambda path: path.name)
        if path.name.endswith(".json")
    }
    unknown = [name for name in names if name not in found]
    if unknown:
        raise UsageError(f"no dashboard is called {quote_value(unknown[0])}; the dashboards are {', '.join(found)}")
    return tuple(DashboardFile(name, found[name].read_bytes().decode()) for name in dict.fromkeys(names or found))
