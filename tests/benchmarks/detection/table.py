"""Stored results as Markdown."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HEADER = ("", "target", "measured", "99 % bound", "")
VERDICTS = {True: "met", False: "**missed**", None: ""}


def stored(folder: Path, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The results that are there, by group, in the order of `names`."""
    found = {name: folder / f"{name}.json" for name in names}
    return {name: json.loads(path.read_text()) for name, path in found.items() if path.exists()}


def filled(full: Mapping[str, Any], quick: Mapping[str, Any], names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Full results, and short ones of the groups that have no others, which say so below their heading."""
    short = {
        name: {**found, "about": f"**Short form, wide bounds.** {found['about']}"} for name, found in quick.items()
    }
    return {name: {**short, **full}[name] for name in names if name in {**short, **full}}


def markdown(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A heading, a sentence and a table for each group."""
    parts = []
    for group in results.values():
        lines = [f"### {group['title']}", "", group["about"], "", _line(HEADER), _line("---" for _ in HEADER)]
        lines += [_line(_cells(row)) for row in group["rows"]]
        lines += ["", *(f"Missed, {row['name']}: {row['cause']}." for row in group["rows"] if row["cause"])]
        parts.append("\n".join(lines).rstrip())
    return "\n\n".join(parts) + "\n"


def figures(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The plain numbers of each line, by group and name; without what only pictures need."""
    return {
        name: {
            row["name"]: {key: found for key, found in row["figures"].items() if key != "evidence"}
            for row in group["rows"]
        }
        for name, group in results.items()
    }


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    return row["name"], row["target"], row["measured"], row["bound"], VERDICTS[row["met"]]


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def missed(results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [f"{name}: {row['name']}" for name, group in results.items() for row in group["rows"] if row["met"] is False]
