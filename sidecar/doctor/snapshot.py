"""What was read of a cluster at one moment; checks decide on it without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Right:
    """A right of an account: `verb` on `resource` (`pods`, `modelmonitors/status`), for one `name` or for all."""

    account: str  # name of the service account
    verb: str
    group: str
    resource: str
    name: str = ""
    namespace: str = ""  # empty: in all namespaces

    def __str__(self) -> str:
        named = f" {self.name}" if self.name else ""
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        group = f".{self.group}" if self.group else ""
        resource, _, subresource = self.resource.partition("/")
        return f"{self.verb} {resource}{group}{f'/{subresource}' if subresource else ''}{named} {where}"


@dataclass(frozen=True)
class Trial:
    """The answer to a pod that was created as a dry run in `namespace`: the pod, or why it was refused."""

    namespace: str
    pod: Json | None = None
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ClusterSnapshot:
    """All that the checks may use.

    now          when it was read
    release      namespace of the installation
    version      version of this program
    server       the API server's answer to `GET /version`
    objects      what was read, by the name of the kind in `gather.KINDS`; an absent kind is not installed
    unreadable   why a kind could not be read
    rights       whether each right of controller and injector is granted; None if the server did not say
    trial        the answer to the trial pod; None if none was created
    """

    now: datetime
    release: str
    version: str
    server: Json = field(default_factory=dict)
    objects: Mapping[str, Sequence[Json]] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    rights: Mapping[Right, bool | None] = field(default_factory=dict)
    trial: Trial | None = None

    def of(self, kind: str, namespace: str | None = None) -> Iterator[Json]:
        """Yield the objects of a kind, in one namespace or in all."""
        for item in self.objects.get(kind, ()):
            if namespace is None or namespace_of(item) == namespace:
                yield item

    def named(self, kind: str, name: str, namespace: str | None = None) -> Json | None:
        """Return the object with this name, or None."""
        return next((item for item in self.of(kind, namespace) if name_of(item) == name), None)


def name_of(item: Json) -> str:
    """Return the name of an object."""
    return str((item.get("metadata") or {}).get("name") or "")


def namespace_of(item: Json) -> str:
    """Return the namespace of an object; empty for one without."""
    return str((item.get("metadata") or {}).get("namespace") or "")


def labels_of(item: Json) -> Mapping[str, str]:
    """Return the labels of an object."""
    return (item.get("metadata") or {}).get("labels") or {}


def annotations_of(item: Json) -> Mapping[str, str]:
    """Return the annotations of an object."""
    return (item.get("metadata") or {}).get("annotations") or {}


def place(kind: str, item: Json) -> str:
    """Return the place of an object for a finding: `namespace/kind/name`."""
    return "/".join(filter(None, (namespace_of(item), kind, name_of(item))))
