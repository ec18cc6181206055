"""Finds the container of the model server, and the ports of it that carry predictions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ..errors import quote_value
from .companions import forwarders, is_companion
from .context import ClusterService, Context, ServicePort
from .errors import NotInjectedError
from .names import CONTAINER, PORTS
from .pod import PodView
from .reasons import InjectionReason
from .servers import bound_host, is_known, side_ports

_METRICS = frozenset({"metrics", "monitoring", "prom", "prometheus", "telemetry"})
_SEPARATORS = re.compile(r"[-_.]")
_LARGEST_PORT = 65535


@dataclass(frozen=True)
class PortTarget:
    """One object of the cluster that leads clients to a port. Without `name`, it targets the port by number.

    `container` is None if no container declares the number. Clients of a `headless` Service may use the number, too.
    """

    via: str
    number: int
    name: str = ""
    container: int | None = None
    headless: bool = False
    is_metrics: bool = False


@dataclass(frozen=True)
class InjectedServer:
    """The container of the model server by position, its ports, and what leads clients to these ports.

    `forwarders` are containers of the pod that forward requests to the model server by number.
    """

    container: int
    name: str
    ports: tuple[int, ...]
    targets: tuple[PortTarget, ...]
    forwarders: tuple[str, ...] = ()


def find_model(pod: PodView, context: Context) -> InjectedServer:
    """Return the model server of `pod`. Raises NotInjectedError if there is none, or more than one."""
    targets = [target for target in _targets(pod, context) if not target.is_metrics]
    container = _container(pod, targets)
    own = [target for target in targets if target.container in {None, container}]
    forwarding = forwarders(pod)
    ports = _wanted_ports(pod, context, container)
    if ports is None:
        targeted = {target.number for target in own}
        declared = _declared_ports(pod, container) if forwarding or not targeted else set()
        ports = (targeted | declared) - side_ports(pod.containers[container])
    if not ports:
        raise NotInjectedError(
            InjectionReason.NO_PORTS, f"container {pod.name_of(container)} has no port that could carry predictions"
        )
    if host := bound_host(pod.containers[container]):
        what = f"the server of container {pod.name_of(container)} listens on {quote_value(host)} only"
        raise NotInjectedError(InjectionReason.ADDRESS_BOUND, what)
    return InjectedServer(
        container=container,
        name=pod.name_of(container),
        ports=tuple(sorted(ports)),
        targets=tuple(target for target in own if target.number in ports),
        forwarders=forwarding,
    )


def _targets(pod: PodView, context: Context) -> Iterable[PortTarget]:
    for service in context.services:
        if _selects(service.selector, pod.labels):
            for port in service.ports:
                target = _service_target(pod, service, port)
                if port.protocol == "TCP" and target is not None:
                    yield target
    for pool in context.pools:
        if _selects(pool.selector, pod.labels):
            for number in pool.ports:
                yield PortTarget(f"InferencePool {pool.name}", number, container=_owner(pod, number))


def _service_target(pod: PodView, service: ClusterService, port: ServicePort) -> PortTarget | None:
    via = f"Service {service.name}"
    if isinstance(port.target, int):
        names = {item.name for item in pod.ports if item.number == port.target and item.protocol == "TCP"}
        is_metrics = is_metrics_name(port.name) or (bool(names) and all(map(is_metrics_name, names)))
        return PortTarget(via, port.target, "", _owner(pod, port.target), service.headless, is_metrics)
    found = pod.resolve(port.target)
    if found is None:
        return None
    is_metrics = is_metrics_name(port.name) or is_metrics_name(port.target)
    return PortTarget(via, found.number, port.target, found.container, service.headless, is_metrics)


def is_metrics_name(name: str) -> bool:
    """Return whether the name of a port says that it serves metrics."""
    return bool(_METRICS & set(_SEPARATORS.split(name)))


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return bool(selector) and all(labels.get(key) == value for key, value in selector.items())


def _owner(pod: PodView, number: int) -> int | None:
    """Return the container that declares the TCP port `number`, or None."""
    return next((port.container for port in pod.ports if (port.number, port.protocol) == (number, "TCP")), None)


def _container(pod: PodView, targets: list[PortTarget]) -> int:
    names = [str(container.get("name")) for container in pod.containers]
    chosen = pod.annotations.get(CONTAINER)
    if chosen is not None:
        if chosen not in names:
            what = f"the annotation {CONTAINER} is {quote_value(chosen)}, but the containers are {', '.join(names)}"
            raise NotInjectedError(InjectionReason.CONTAINER_NOT_FOUND, what)
        return names.index(chosen)
    candidates = [position for position in range(len(names)) if not is_companion(pod, position)]
    declaring = {port.container for port in pod.ports if port.protocol == "TCP" and not is_metrics_name(port.name)}
    groups: tuple[set[int], ...] = (
        {target.container for target in targets if target.container is not None},
        set(candidates),
        {position for position in candidates if is_known(pod.containers[position])},
        declaring,
    )
    for group in groups:
        narrowed = [position for position in candidates if position in group]
        candidates = narrowed or candidates
        if len(candidates) == 1:
            return candidates[0]
    if not candidates:
        raise NotInjectedError(InjectionReason.NO_PORTS, "the pod has no container of a model server")
    listed = ", ".join(names[position] for position in candidates)
    raise NotInjectedError(
        InjectionReason.SEVERAL_CONTAINERS, f"each of the containers {listed} could be the model server"
    )


def _wanted_ports(pod: PodView, context: Context, container: int) -> set[int] | None:
    """Return the ports that the pod's annotation or the monitor lists, or None without such a list."""
    text = pod.annotations.get(PORTS)
    if text is not None:
        source = f"the annotation {PORTS}"
        wanted: Iterable[str | int] = [part.strip() for part in text.split(",") if part.strip()]
    elif context.monitor is not None and context.monitor.ports:
        source, wanted = f"spec.traffic.ports of the ModelMonitor {context.monitor.name}", context.monitor.ports
    else:
        return None
    return {_wanted_port(pod, container, str(item), source) for item in wanted}


def _wanted_port(pod: PodView, container: int, item: str, source: str) -> int:
    if item.isdecimal() and 0 < int(item) <= _LARGEST_PORT:
        return int(item)
    for port in pod.ports:
        if (port.container, port.name, port.protocol) == (container, item, "TCP"):
            return port.number
    what = f"{source} names {quote_value(item)}, which is not a TCP port of the container {pod.name_of(container)}"
    raise NotInjectedError(InjectionReason.ANNOTATION_INVALID, what)


def _declared_ports(pod: PodView, container: int) -> set[int]:
    own = (port for port in pod.ports if port.container == container and port.protocol == "TCP")
    return {port.number for port in own if not is_metrics_name(port.name)}
