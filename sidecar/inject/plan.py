"""What an interception consists of: pairs of ports, changes of the model's container, and rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .errors import NotInjectedError
from .operations import Operation, Path, add, pointer, replace
from .pod import PodView
from .reasons import InjectionReason

ADMIN_PORT = 9797
HEALTH_PORT = 9796
_FIRST_UNPRIVILEGED = 1024
_SYSCTL = "net.ipv4.ip_unprivileged_port_start"  # safe: the kubelet and the Pod Security level Restricted admit it
FREE_PORTS = range(9800, 9900)  # below the ephemeral ports of Linux and the node ports of Kubernetes


class InterceptionMode(StrEnum):
    """How requests reach the proxy; `none` means that nothing was injected."""

    MOVE = "move"
    NONE = "none"
    PORT = "port"
    REDIRECT = "redirect"


@dataclass(frozen=True)
class PortPair:
    """The proxy listens on `listen` and connects to the model server on `upstream`. It takes the port names `names`."""

    listen: int
    upstream: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class InterceptionPlan:
    """One way of intercepting. `rules` are pairs (port, to port) of the redirect container."""

    mode: InterceptionMode
    reason: InjectionReason
    message: str
    pairs: tuple[PortPair, ...]
    operations: tuple[Operation, ...] = ()
    rules: tuple[tuple[int, int], ...] = ()


def free_ports(pod: PodView, taken: frozenset[int]) -> Iterator[int]:
    """Yield ports that the pod does not use. Raises NotInjectedError when there are no more."""
    used = pod.used_numbers | taken
    yield from (number for number in FREE_PORTS if number not in used)
    what = f"the pod uses all ports from {FREE_PORTS.start} to {FREE_PORTS.stop - 1}"
    raise NotInjectedError(InjectionReason.PORT_TAKEN, what)


def follow(pod: PodView, container: int, numbers: Mapping[Any, int]) -> list[Operation]:
    """Return the operations with which probes and hooks use `numbers`, by their present port.

    Names count in the container of the model only, numbers in all containers, since these share one network.
    """
    found = []
    for reference in pod.references():
        is_own = reference.container == container or isinstance(reference.port, int)
        if is_own and reference.port in numbers:
            found.append(replace(numbers[reference.port], *reference.path))
    return found


def unname(pod: PodView, container: int, names: frozenset[str]) -> list[Operation]:
    """Return the operations that remove `names` from the ports of `container`."""
    return [
        Operation("remove", pointer(*port_path(container, port.index), "name"))
        for port in pod.ports
        if port.container == container and port.name in names and port.protocol == "TCP"
    ]


def port_path(container: int, index: int) -> Path:
    """Return the path of an entry of `ports`."""
    return ("spec", "containers", container, "ports", index)


def open_low_ports(pod: PodView, pairs: Iterable[PortPair]) -> list[Operation]:
    """Return the operations that let the proxy, which is not root, listen on ports below 1024.

    Many runtimes allow it anyway (containerd 2), others do not (CRI-O).
    """
    lowest = min((pair.listen for pair in pairs), default=_FIRST_UNPRIVILEGED)
    if lowest >= _FIRST_UNPRIVILEGED:
        return []
    wanted = {"name": _SYSCTL, "value": str(lowest)}
    security = pod.spec.get("securityContext")
    if security is None:
        return [add({"sysctls": [wanted]}, "spec", "securityContext")]
    present = security.get("sysctls")
    if present is None:
        return [add([wanted], "spec", "securityContext", "sysctls")]
    for index, item in enumerate(present):
        if item.get("name") == _SYSCTL:
            value = str(item.get("value") or "")
            is_enough = value.isdecimal() and int(value) <= lowest
            return [] if is_enough else [replace(str(lowest), "spec", "securityContext", "sysctls", index, "value")]
    return [add(wanted, "spec", "securityContext", "sysctls", "-")]
