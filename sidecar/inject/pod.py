"""Reads a pod as it reaches the webhook: lists and maps may be missing or null."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .context import Json
from .operations import Path

_NUMBER = re.compile(r"(?<![\w.])[0-9]{2,5}(?![\w.])")
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
HANDLERS = ("grpc", "httpGet", "tcpSocket")


@dataclass(frozen=True)
class PodPort:
    """One entry of `ports` of a container. `container` and `index` are positions."""

    container: int
    index: int
    name: str
    number: int
    protocol: str
    is_on_host: bool


@dataclass(frozen=True)
class PortReference:
    """A probe or hook of a container that connects to the pod: where its port is, and its value."""

    container: int
    path: Path
    handler: str
    port: int | str


class PodView:
    """Read access to a pod. `containers` are the regular ones; native sidecars are in `init_containers`."""

    def __init__(self, pod: Json) -> None:
        self.metadata: Json = pod.get("metadata") or {}
        self.spec: Json = pod.get("spec") or {}
        self.labels: Mapping[str, str] = self.metadata.get("labels") or {}
        self.annotations: Mapping[str, str] = self.metadata.get("annotations") or {}
        self.containers: Sequence[Json] = self.spec.get("containers") or ()
        self.init_containers: Sequence[Json] = self.spec.get("initContainers") or ()

    @property
    def all_containers(self) -> list[Json]:
        """Init containers and containers."""
        return [*self.init_containers, *self.containers]

    @cached_property
    def ports(self) -> tuple[PodPort, ...]:
        """The declared ports of the regular containers."""
        return tuple(
            PodPort(
                container=position,
                index=index,
                name=port.get("name") or "",
                number=int(port.get("containerPort") or 0),
                protocol=port.get("protocol") or "TCP",
                is_on_host=bool(port.get("hostPort")),
            )
            for position, container in enumerate(self.containers)
            for index, port in enumerate(container.get("ports") or ())
        )

    def name_of(self, container: int) -> str:
        """Return the name of a container for a message."""
        return str(self.containers[container].get("name"))

    def resolve(self, name: str, protocol: str = "TCP") -> PodPort | None:
        """Return the port that a Service finds by `name`: the first one in the order of the containers."""
        return next((port for port in self.ports if (port.name, port.protocol) == (name, protocol)), None)

    def references(self) -> Iterator[PortReference]:
        """Yield the probes and hooks of the regular containers that connect to a port of the pod."""
        for position, container in enumerate(self.containers):
            places: list[tuple[Path, Any]] = [((probe,), container.get(probe)) for probe in PROBES]
            lifecycle = container.get("lifecycle") or {}
            places += [(("lifecycle", hook), lifecycle.get(hook)) for hook in HOOKS]
            for place, item in places:
                for handler in HANDLERS:
                    action = (item or {}).get(handler)
                    if action and not action.get("host"):
                        path = ("spec", "containers", position, *place, handler, "port")
                        yield PortReference(position, path, handler, _port_value(action.get("port")))

    @cached_property
    def used_numbers(self) -> frozenset[int]:
        """All numbers that may be ports of the pod: declared, in probes, arguments and variables."""
        found = {reference.port for reference in self.references() if isinstance(reference.port, int)}
        for container in self.all_containers:
            for port in container.get("ports") or ():
                found.add(int(port.get("containerPort") or 0))
            for text in (*words_of(container), *(str(item.get("value") or "") for item in container.get("env") or ())):
                found.update(map(int, _NUMBER.findall(text)))
        return frozenset(found)


def words_of(container: Json) -> list[str]:
    """Return the command and the arguments of a container as one list."""
    return [str(word) for word in (*(container.get("command") or ()), *(container.get("args") or ()))]


def _port_value(port: object) -> int | str:
    if isinstance(port, str) and port.isdecimal():
        return int(port)
    return port if isinstance(port, int | str) else ""
