"""Reference rows in memory, in the same form for every file format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ...detectors.batch import Column
from ..errors import number, quote_value
from .errors import ReferenceDataError

MAX_COLUMNS = 10_000  # of 5 ms each; their profile has 16 MiB, which is what an analyzer accepts
MAX_CELLS = 200_000_000  # rows times columns; some 40 bytes of memory each, and a file of 200 KB may claim 50 million
Progress = Callable[[str, float], None]  # (activity, completed share in [0, 1])


@dataclass(slots=True)
class ReferenceTable:
    """The columns of a file.

    Attributes:
        columns: columns by name in the order of the file, [rows] each.
        rows: the number of rows.
        left_out: unusable columns by name, with the reason.
        notes: messages for the user about how the file was read.
        header: the names of all columns in the order of the file, empty for one without a name.
        index: the columns that pandas wrote as the index of its data frame.
    """

    columns: dict[str, Column]
    rows: int
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    header: tuple[str, ...] = ()
    index: frozenset[str] = frozenset()


def require_size(path: object, rows: int, columns: int) -> None:
    """Raise ReferenceDataError if the file `path` has more columns or cells than a profile can be built of."""
    if columns > MAX_COLUMNS:
        raise ReferenceDataError(
            f"{path}: has {number(columns, 'column')}, a profile holds {MAX_COLUMNS:,} at most; give fewer columns"
        )
    if rows * columns > MAX_CELLS:
        raise ReferenceDataError(
            f"{path}: has {number(rows, 'row')} or more of {number(columns, 'column')}, more than {MAX_CELLS:,} cells; "
            "give a sample of the rows, or fewer columns"
        )


def require_same_columns(first: object, names: Sequence[str], other: object, found: Sequence[str]) -> None:
    """Raise ReferenceDataError unless the files `first` and `other` have the same columns, in any order."""
    lacking, further = (
        [name for name in one if name and name not in set(two)] for one, two in ((names, found), (found, names))
    )
    for what, which in (("lacks the column", lacking), ("also has the column", further)):
        if which:
            more = f" and {len(which) - 1:,} more" if len(which) > 1 else ""
            raise ReferenceDataError(
                f"{other}: {what} {quote_value(which[0])}{more}, unlike {first}; give files with the same columns"
            )


def repeated(names: Sequence[str]) -> list[str]:
    """Return the names that occur more than once, sorted."""
    return sorted(name for name, count in Counter(names).items() if count > 1)
