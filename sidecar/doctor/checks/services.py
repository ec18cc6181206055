"""Checks of Services and InferencePools: traffic that reaches a model without its proxy is not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...errors import number
from ...inject.context import pool_from_object, service_from_object
from ..findings import ClusterFinding, Level
from ..pods import PodWorkload, PodWorkloads, by_owner, model_ports, note_of, resolve
from ..snapshot import ClusterSnapshot, labels_of, name_of, namespace_of
from .pods import injected_pods

REDIRECT = "redirect"


class ServiceRoute(NamedTuple):
    """One port of a Service or pool: what it is called in a finding, and its target in the pod."""

    via: str
    target: int | str
    protocol: str


class _Selecting(NamedTuple):
    name: str
    selector: Mapping[str, str]
    routes: tuple[ServiceRoute, ...]


def check_routes(snapshot: ClusterSnapshot) -> Iterator[ClusterFinding]:
    """Check that no Service reaches the model's own port in an injected pod."""
    selecting = _selecting(snapshot)
    around = measured = 0
    for owner, pods in by_owner(injected_pods(snapshot), PodWorkloads(snapshot)).items():
        pod = pods[0]
        if note_of(pod).mode == REDIRECT:  # the rules of the pod catch every route
            measured += 1
            continue
        own = model_ports(pod)
        routes = [
            route
            for one in selecting.get(owner.namespace, ())
            if one.selector and one.selector.items() <= labels_of(pod).items()
            for route in one.routes
        ]
        bypassing = [route for route in routes if resolve(pod, route.target, route.protocol) in own]
        for route in bypassing:
            yield _bypass(owner, route)
        around += len(bypassing)
        measured += not bypassing
    if measured and not around:
        what = f"all Services of {number(measured, 'workload')} with sidecars lead to the proxy"
        yield ClusterFinding(check="services", level=Level.OK, where="services", what=what)


def _selecting(snapshot: ClusterSnapshot) -> Mapping[str, list[_Selecting]]:
    """Return Services and pools by their namespace."""
    found: dict[str, list[_Selecting]] = {}
    for item in snapshot.of("services"):
        service = service_from_object(item)
        routes = tuple(
            ServiceRoute(f"Service {service.name}, port {port.port}", port.target, port.protocol)
            for port in service.ports
        )
        found.setdefault(namespace_of(item), []).append(_Selecting(service.name, service.selector, routes))
    for kind in ("inferencepools", "inferencepools.x"):
        for item in snapshot.of(kind):
            pool = pool_from_object(item)
            routes = tuple(ServiceRoute(f"InferencePool {name_of(item)}", port, "TCP") for port in pool.ports)
            found.setdefault(namespace_of(item), []).append(_Selecting(pool.name, pool.selector, routes))
    return found


def _bypass(owner: PodWorkload, route: ServiceRoute) -> ClusterFinding:
    what = f"{route.via} targets {route.target}, the model's own port: its requests are not measured"
    remedy = (
        "use the name of the port as targetPort, or restart the workload, so that the injector sees the Service and "
        "chooses another mode"
    )
    return ClusterFinding(check="services", level=Level.WARNING, where=str(owner), what=what, remedy=remedy)
