"""The options by which `profile build` and `replay` read files of rows."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import UsageError, quote_value


def add_data_argument(parser: argparse.ArgumentParser, rows: str) -> None:
    """Declare the files that hold the rows."""
    forms = "CSV (plain or gzip) or Parquet, with a header; several files are read in this order, and - is stdin"
    parser.add_argument("data", type=Path, nargs="+", metavar="DATA", help=f"{rows}: {forms}")


def add_csv_arguments(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Declare how a CSV is read; return the group of the options."""
    cells = parser.add_argument_group("reading CSV")
    cells.add_argument("--delimiter", metavar="CHAR", help="default: inferred from the header line (tab: '\\t')")
    cells.add_argument("--comment", metavar="TEXT", help="skip the lines that begin with TEXT, such as '#'")
    return cells


def csv_delimiter(text: str | None) -> str | None:
    """Return the delimiter that `--delimiter` gives; raise UsageError."""
    text = "\t" if text == "\\t" else text
    if text is not None and (len(text) != 1 or text in '"\r\n'):
        raise UsageError(f"--delimiter {quote_value(text)}: give one character, such as ';'")
    return text
