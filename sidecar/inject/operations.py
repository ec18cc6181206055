"""Operations of a JSON patch (RFC 6902), and JSON pointers (RFC 6901)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Operation:
    """One operation of a JSON patch. `value` is ignored by `remove`."""

    op: Literal["add", "remove", "replace"]
    path: str
    value: Any = None

    def to_json(self) -> dict[str, Any]:
        """Return the operation as an object of a JSON patch."""
        value = {} if self.op == "remove" else {"value": self.value}
        return {"op": self.op, "path": self.path, **value}


def pointer(*parts: str | int) -> str:
    """Return the JSON pointer to `parts`, with the characters "~" and "/" of names escaped."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def add(value: Any, *parts: str | int) -> Operation:
    """Return the operation that adds `value` at `parts`; in a list, "-" is its end."""
    return Operation("add", pointer(*parts), value)


def replace(value: Any, *parts: str | int) -> Operation:
    """Return the operation that replaces what is at `parts`."""
    return Operation("replace", pointer(*parts), value)


def remove(*parts: str | int) -> Operation:
    """Return the operation that removes what is at `parts`."""
    return Operation("remove", pointer(*parts))


def patch_json(patch: Iterable[Operation]) -> list[dict[str, Any]]:
    """Return `patch` as a JSON value."""
    return [operation.to_json() for operation in patch]
