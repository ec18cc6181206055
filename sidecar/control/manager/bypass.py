"""Whether the traffic of a model goes past its proxies, by a Service that leads to another port of the pods.

Silence alone is no evidence: a model may be idle. A bypass is claimed only if all of this holds: pods have been ready
for QUIET_SECONDS; no proxy of such a pod has seen anything but probes for as long; and a Service selects the pods and
leads to the port of the model itself, or to another port while no Service leads to a proxy at all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ...errors import number
from ...kube.client import Kube
from ...kube.errors import KubeError
from ...kube.objects import PODS, SERVICES
from ...kube.read import list_some
from ...sync.messages import Signals
from ..reasons import Reason
from .pods import INJECTION, MonitoredPod
from .trouble import Trouble, TroubleError, of_kube
from .world import Item, World

QUIET_SECONDS = 600.0
RECENT_SECONDS = 30.0  # the age of signals that are still news; pods send them every 5 s
LOOK_AGAIN = 60.0  # seconds between two looks while a bypass is shown
IDLE_AGAIN = 900.0  # seconds between two looks while a model is idle
MAX_SERVICES = 500
OWN_PORTS = frozenset((9796, 9797, "pilotfish"))  # of the sidecars: health and metrics


@dataclass(frozen=True, slots=True)
class Intercepted:
    """The ports of a pod that lead to its proxy: `numbers` and `names`; `model` are ports that lead to the model."""

    numbers: frozenset[int]
    names: frozenset[str]
    model: frozenset[int]


@dataclass(frozen=True, slots=True)
class Detour:
    """A port of the Service `service` that leads to `port` of the pods, past the proxy."""

    service: str
    port: int | str


@dataclass
class BypassWatch:
    """Looks for Services that go past the proxies. `text` says what was found, empty if nothing.

    `trouble` is why the Services cannot be read.
    """

    namespace: str
    world: World
    text: str = ""
    trouble: Trouble | None = None
    _look_at: float = field(default=float("-inf"))

    async def look(self, pods: Iterable[MonitoredPod], signals: Mapping[str, tuple[float, Signals]]) -> None:
        """Look if the evidence suffices; without it, nothing is claimed."""
        quiet = quiet_pods(pods, signals, self.world.clock())
        if not quiet:
            self.text, self.trouble, self._look_at = "", None, float("-inf")
            return
        now = self.world.monotonic()
        if now < self._look_at:
            return
        try:
            pod = await self.world.find_pod(self.namespace, quiet[0].name)
            services = await self.world.list_services(self.namespace) if pod is not None else ()
            self.trouble = None
        except TroubleError as error:
            pod, services, self.trouble = None, (), error.trouble
        found = detours(services, pod) if pod is not None else ()
        self.text = _text(found, len(quiet)) if found else ""
        self._look_at = now + (LOOK_AGAIN if found else IDLE_AGAIN)


def quiet_pods(
    pods: Iterable[MonitoredPod], signals: Mapping[str, tuple[float, Signals]], now: float
) -> list[MonitoredPod]:
    """Return the pods that have been ready for QUIET_SECONDS if the proxies of all of them have been idle as long.

    `signals` has the newest ones of each pod, with the time of their arrival in epoch seconds. Returns no pod if one of
    them had a request, or is silent.
    """
    found = [pod for pod in pods if pod.since is not None and now - pod.since >= QUIET_SECONDS]
    for pod in found:
        arrived, newest = signals.get(pod.uid, (float("-inf"), None))
        if newest is None or now - arrived > RECENT_SECONDS or newest.quiet < QUIET_SECONDS:
            return []
    return found


def detours(services: Iterable[Item], pod: Item) -> tuple[Detour, ...]:
    """Return the ports of `services` that select `pod` and lead past its proxy."""
    ports = intercepted_ports(pod)
    if ports is None:
        return ()
    named = _named_ports(pod)
    past, through = list[Detour](), False
    for service in services:
        if not _selects(service, pod):
            continue
        for target in _target_ports(service):
            if target in OWN_PORTS:
                continue
            number_ = target if isinstance(target, int) else named.get(target)
            if target in ports.names or number_ in ports.numbers:
                through = True
            else:
                past.append(Detour(service["metadata"]["name"], target))
    return tuple(found for found in past if not through or (named.get(str(found.port), found.port) in ports.model))


def intercepted_ports(pod: Item) -> Intercepted | None:
    """Return the ports whose traffic passes the proxy, by the pod's annotation; None if that cannot be read."""
    try:
        note = json.loads(pod["metadata"]["annotations"][INJECTION])
        pairs = [(int(pair["listen"]), int(pair["upstream"]), pair.get("names", ())) for pair in note["ports"]]
        redirected = note["mode"] == "redirect"
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    upstream = frozenset(model for _, model, _ in pairs)
    listen = frozenset(own for own, _, _ in pairs)
    names = frozenset(str(name) for _, _, given in pairs for name in given)
    return Intercepted(listen | upstream if redirected else listen, names, frozenset() if redirected else upstream)


def _named_ports(pod: Item) -> dict[str, int]:
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    return {
        port["name"]: int(port["containerPort"])
        for container in containers
        for port in container.get("ports") or ()
        if port.get("name") and port.get("protocol", "TCP") == "TCP"
    }


def _selects(service: Item, pod: Item) -> bool:
    selector = (service.get("spec") or {}).get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and all(labels.get(name) == value for name, value in selector.items())


def _target_ports(service: Item) -> Iterator[int | str]:
    for port in (service.get("spec") or {}).get("ports") or ():
        if port.get("protocol", "TCP") == "TCP":
            yield port.get("targetPort") or port["port"]


def _text(found: Sequence[Detour], pods: int) -> str:
    where = ", ".join(sorted({f"Service {one.service} leads to port {one.port}" for one in found})[:5])
    return (
        f"the proxies of {number(pods, 'ready pod')} have seen nothing but probes for {QUIET_SECONDS / 60:g} min, and "
        f"{where} of the pods, past the proxy; restart the workload, so that the injector sees the Service as it is now"
    )


async def list_services(kube: Kube, namespace: str) -> list[dict[str, Any]]:
    """Return at most MAX_SERVICES Services of a namespace; raise TroubleError."""
    try:
        return await list_some(kube, SERVICES, namespace, most=MAX_SERVICES)
    except KubeError as error:
        raise of_kube("the Services of the namespace", error, Reason.API_SERVER_UNREACHABLE) from error


async def find_pod(kube: Kube, namespace: str, name: str) -> dict[str, Any] | None:
    """Return a pod; None if it does not exist any more. Raises TroubleError."""
    try:
        found = await list_some(kube, PODS, namespace, field_selector=f"metadata.name={name}", most=1)
    except KubeError as error:
        raise of_kube("the pods of spec.targetRef", error, Reason.API_SERVER_UNREACHABLE) from error
    return found[0] if found else None
