"""Objects by namespace, and Services by what they select, so that a decision looks at few of 10,000."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, Protocol, TypeVar

Label = tuple[str, str]


class Selecting(Protocol):
    """A value that selects pods by labels, such as a Service."""

    @property
    def selector(self) -> Mapping[str, str]:
        """The labels that a pod must have; empty if it selects no pod."""


Value = TypeVar("Value")
Selector = TypeVar("Selector", bound=Selecting)


class NamespaceIndex(Generic[Value]):
    """Values by namespace and name."""

    def __init__(self) -> None:
        self._values: dict[str, dict[str, Value]] = {}

    def put(self, namespace: str, name: str, value: Value) -> None:
        """Add a value, or replace the one of the same name."""
        self._values.setdefault(namespace, {})[name] = value

    def drop(self, namespace: str, name: str) -> None:
        """Remove a value if it is there."""
        found = self._values.get(namespace, {})
        found.pop(name, None)
        if not found:
            self._values.pop(namespace, None)

    def get(self, namespace: str, name: str) -> Value | None:
        """Return a value, or None."""
        return self._values.get(namespace, {}).get(name)

    def all(self, namespace: str) -> tuple[Value, ...]:
        """Return the values of a namespace, ordered by name."""
        return tuple(value for _, value in sorted(self._values.get(namespace, {}).items(), key=_name))

    @property
    def namespaces(self) -> Iterable[str]:
        """The namespaces with a value."""
        return self._values.keys()


class SelectorIndex(Generic[Selector]):
    """Values that select pods, by one label of their selector: its last one in alphabetical order."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, Label], dict[str, Selector]] = {}
        self._labels: dict[tuple[str, str], Label] = {}

    def put(self, namespace: str, name: str, value: Selector) -> None:
        """Add a value, or replace the one of the same name; one without a selector selects nothing."""
        self.drop(namespace, name)
        if value.selector:
            label = max(value.selector.items())
            self._labels[namespace, name] = label
            self._values.setdefault((namespace, label), {})[name] = value

    def drop(self, namespace: str, name: str) -> None:
        """Remove a value if it is there."""
        label = self._labels.pop((namespace, name), None)
        if label is not None:
            found = self._values[namespace, label]
            del found[name]
            if not found:
                del self._values[namespace, label]

    def candidates(self, namespace: str, labels: Mapping[str, str]) -> Iterator[Selector]:
        """Yield every value whose selector may match `labels`, by label and name."""
        for label in sorted(labels.items()):
            yield from (value for _, value in sorted(self._values.get((namespace, label), {}).items(), key=_name))


def _name(item: tuple[str, object]) -> str:
    return item[0]
