"""The base of tables of reasons: each row has a value for metrics, a form for Kubernetes, a meaning and a remedy."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


def camel_case(value: str) -> str:
    """Return a reason in the form of Kubernetes: "http_503" is "Http503"."""
    return "".join(part[:1].upper() + part[1:] for part in value.split("_"))


class ReasonTable(StrEnum):
    """A table of reasons. Each member has its `meaning` and its `remedy`, empty if nobody needs to act."""

    meaning: str
    remedy: str

    def __new__(cls, value: str, meaning: str, remedy: str = "") -> Self:
        """Return the member for `value`, with its texts as attributes."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        member.remedy = remedy
        return member

    @classmethod
    def of_value(cls, value: str) -> Self | None:
        """Return the row of `value`; None for a value that is not in the table, such as `http_503`."""
        return next((reason for reason in cls if reason.value == value), None)

    @property
    def camel(self) -> str:
        """The reason as Kubernetes shows it, such as QuorumMissing."""
        return camel_case(self.value)
