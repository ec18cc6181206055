"""Applies JSON patches, and answers which process of a pod a connection reaches. Independent of the code under test."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any


def apply(document: Any, patch: Iterable[dict[str, Any]]) -> Any:
    result = deepcopy(document)
    for operation in patch:
        *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")[1:]]
        target = result
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        _one(target, last, operation)
    return result


def _one(target: Any, last: str, operation: dict[str, Any]) -> None:
    if isinstance(target, list):
        index = len(target) if last == "-" else int(last)
        if operation["op"] == "add":
            assert index <= len(target)
            target.insert(index, deepcopy(operation["value"]))
        elif operation["op"] == "replace":
            target[index] = deepcopy(operation["value"])
        else:
            del target[index]
    elif operation["op"] == "add":
        target[last] = deepcopy(operation["value"])
    else:
        assert last in target, operation
        if operation["op"] == "replace":
            target[last] = deepcopy(operation["value"])
        else:
            del target[last]


@dataclass(frozen=True)
class Reached:
    """What a connection reaches: the container, its own port, and whether the proxy is in between."""

    container: str
    port: int
    by_proxy: bool = False


class Network:
    """The listeners of a pod. `servers` are its processes before the injection: (container, port as it started)."""

    def __init__(self, pod: dict[str, Any], listening: dict[int, tuple[str, int]]) -> None:
        self.pod, self.listening = pod, listening
        init = pod["spec"].get("initContainers") or []
        self.proxy = next((item for item in init if item["name"] == "pilotfish-proxy"), None)
        redirect = next((item for item in init if item["name"] == "pilotfish-redirect"), None)
        rules = re.findall(r"tcp dport (\d+) redirect to :(\d+)", redirect["args"][0]) if redirect else []
        self.rules = {int(port): int(to) for port, to in rules}
        self.pairs: dict[int, int] = {}
        if self.proxy:
            args = self.proxy["args"]
            listens = [int(word.rpartition(":")[2]) for word in args if word.startswith("--listen=")]
            upstreams = [int(word.rpartition(":")[2]) for word in args if word.startswith("--upstream=127.0.0.1:")]
            self.pairs = dict(zip(listens, upstreams, strict=True))

    def from_outside(self, port: int) -> Reached | None:
        return self.inside(self.rules.get(port, port))

    def inside(self, port: int) -> Reached | None:
        if port in self.pairs:
            assert port not in self.listening, f"two processes listen on {port}"
            found = self.listening.get(self.pairs[port])
            return Reached(*found, by_proxy=True) if found else None
        found = self.listening.get(port)
        return Reached(*found) if found else None

    def resolve(self, target: int | str) -> int | None:
        """As the EndpointSlice controller does: containers first, then native sidecars."""
        if isinstance(target, int):
            return target
        sidecars = [item for item in self.pod["spec"].get("initContainers") or [] if item.get("restartPolicy")]
        for container in [*self.pod["spec"]["containers"], *sidecars]:
            for port in container.get("ports") or []:
                if port.get("name") == target and port.get("protocol", "TCP") == "TCP":
                    return int(port["containerPort"])
        return None


def probes(pod: dict[str, Any]) -> Iterator[tuple[tuple[Any, ...], int | None]]:
    """Each probe and hook with a port, and the number that it connects to."""
    for container in pod["spec"]["containers"]:
        names = {port["name"]: port["containerPort"] for port in container.get("ports") or [] if port.get("name")}
        actions = [(key, container.get(key)) for key in ("livenessProbe", "readinessProbe", "startupProbe")]
        actions += [(key, (container.get("lifecycle") or {}).get(key)) for key in ("postStart", "preStop")]
        for key, action in actions:
            for handler in ("httpGet", "tcpSocket", "grpc"):
                if action and handler in action:
                    port = action[handler]["port"]
                    yield (container["name"], key, handler), port if isinstance(port, int) else names.get(port)


def words(container: dict[str, Any]) -> list[str]:
    found = [*(container.get("command") or []), *(container.get("args") or [])]
    if len(found) > 2 and found[0].endswith("sh"):
        return shlex.split(found[2])
    return found
