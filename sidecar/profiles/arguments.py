"""Names of the arguments in messages: the options of a command, or the parameters of the Python API.

Both build profiles and replay rows by the same functions. A message names the argument as the user gave it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..errors import quote_value

Argument: TypeAlias = Literal[
    "exchangeable",
    "exclude",
    "false_alarms",
    "keep",
    "label",
    "prediction",
    "profile",
    "rows_per_tick",
    "score",
    "task",
    "tick",
    "time",
    "timezone",
    "type",
]
_PARAMETERS: dict[Argument, str] = {"label": "labels", "prediction": "predictions", "type": "types"}


@dataclass(frozen=True, slots=True)
class ArgumentNames:
    """Writes arguments into messages, as options of a command or as parameters of a Python function."""

    options: bool

    def name(self, argument: Argument) -> str:
        """Return `--rows-per-tick`, or `rows_per_tick`."""
        if self.options:
            return f"--{argument.replace('_', '-')}"
        return _PARAMETERS.get(argument, argument)

    def given(self, argument: Argument, value: object) -> str:
        """Return `--time ts`, or `time='ts'`."""
        return f"{self.name(argument)} {value}" if self.options else f"{self.name(argument)}={quote_value(value)}"

    def typed(self, column: str, kind: str) -> str:
        """Return `--type age=numeric`, or `types={'age': 'numeric'}`."""
        return f"--type {column}={kind}" if self.options else f"types={{{quote_value(column)}: {kind!r}}}"

    def missing_words(self) -> str:
        """Return how to give another spelling of missing."""
        return "--na TEXT" if self.options else "na=[TEXT]"

    def kept_words(self) -> str:
        """Return how to keep a word that means missing as a category."""
        return "--keep-word TEXT" if self.options else "keep_words=[TEXT]"


OPTIONS = ArgumentNames(options=True)
PARAMETERS = ArgumentNames(options=False)
