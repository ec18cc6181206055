"""The modes of interception: each function returns a plan, or raises NotInjectedError if the mode does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ..errors import quote_value
from .context import Context
from .errors import NotInjectedError
from .meshes import mesh_of, port_rules
from .model import InjectedServer
from .moving import relocate
from .names import ENFORCE, INTERCEPTION
from .operations import replace
from .plan import (
    ADMIN_PORT,
    HEALTH_PORT,
    InterceptionMode,
    InterceptionPlan,
    PortPair,
    follow,
    free_ports,
    port_path,
    unname,
)
from .pod import PodView
from .reasons import InjectionReason

_AUTO = "auto"
_MOST_LISTED = 5


def choose_plan(pod: PodView, context: Context, model: InjectedServer) -> InterceptionPlan:
    """Return the plan of the requested mode, or in `auto` of the first mode that fits. Raises NotInjectedError."""
    _refuse_taken_ports(pod, model)
    wanted = _requested(pod, context)
    if wanted != _AUTO:
        return _MODES[wanted](pod, context, model)
    order = ["port", "move", "redirect"]
    if not model.targets or any(target.headless for target in model.targets):
        order = ["move", "port", "redirect"]  # clients that are not known yet may use the number
    refusals = {}
    for mode in order:
        try:
            return _MODES[mode](pod, context, model)
        except NotInjectedError as error:
            if error.reason is InjectionReason.ANNOTATION_INVALID:
                raise
            refusals[mode] = error
    raise refusals["move"] if model.targets or model.forwarders else refusals["port"]


def _plan_port(pod: PodView, context: Context, model: InjectedServer) -> InterceptionPlan:
    if model.forwarders:
        what = f"container {model.forwarders[0]} forwards to port {model.ports[0]} of container {model.name}"
        raise NotInjectedError(InjectionReason.FORWARDED_BY_NUMBER, what)
    for target in model.targets:
        if not target.name:
            what = f"{target.via} targets port {target.number} of container {model.name} by number"
            raise NotInjectedError(InjectionReason.NUMERIC_PORTS, what)
    if mesh := mesh_of(pod, context):
        if mesh == "Kuma":
            what = "Kuma finds port names in regular containers only, and the name would belong to the proxy"
            raise NotInjectedError(InjectionReason.MESH, what)
        for key in port_rules(pod, model.ports):
            what = f"the annotation {key} gives port {model.ports[0]} rules of its own in {mesh}, so it cannot move"
            raise NotInjectedError(InjectionReason.MESH, what)
    names = {number: _names(pod, model, number) for number in model.ports}
    for number, found in names.items():
        if not found:
            what = f"no Service targets port {number} of container {model.name} yet, and the port has no name"
            raise NotInjectedError(InjectionReason.NO_SERVICE, what)
    _refuse_ambiguous_names(pod, model)
    numbers = free_ports(pod, frozenset(model.ports))
    pairs = tuple(PortPair(next(numbers), number, names[number]) for number in model.ports)
    moved = {name: pair.upstream for pair in pairs for name in pair.names}
    message = f"port name {', '.join(moved)} moved from container {model.name} to the proxy"
    if not model.targets:
        message += "; no Service targets it yet: use the name as targetPort, since a number bypasses the proxy"
    else:
        message += f" (target of {_listed(tuple(dict.fromkeys(target.via for target in model.targets)))})"
    if any(target.headless for target in model.targets):
        message += "; clients of a headless Service that use the number bypass the proxy"
    operations = (*unname(pod, model.container, frozenset(moved)), *follow(pod, model.container, moved))
    return InterceptionPlan(InterceptionMode.PORT, InjectionReason.NAMED_PORTS, message, pairs, operations)


def _listed(names: tuple[str, ...]) -> str:
    """Return `names` for a message; thousands of Services may select a pod."""
    rest = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {rest} more" if rest > 0 else "")


def _names(pod: PodView, model: InjectedServer, number: int) -> tuple[str, ...]:
    """Return the names of a port that move: those that Services use, or without a Service all of them."""
    wanted = {target.name for target in model.targets if target.number == number}
    own = (
        port for port in pod.ports if (port.container, port.number, port.protocol) == (model.container, number, "TCP")
    )
    return tuple(port.name for port in own if port.name and (port.name in wanted or not wanted))


def _plan_move(pod: PodView, context: Context, model: InjectedServer) -> InterceptionPlan:
    if mesh_of(pod, context) == "Kuma" and any(target.name for target in model.targets):
        what = "Kuma finds port names in regular containers only, and the name would belong to the proxy"
        raise NotInjectedError(InjectionReason.MESH, what, "use the number as targetPort of the Service")
    numbers = free_ports(pod, frozenset(model.ports) | {ADMIN_PORT, HEALTH_PORT})
    moved = {number: next(numbers) for number in model.ports}
    _refuse_ambiguous_names(pod, model)
    relocation = relocate(pod, model, moved)
    own = [
        port
        for port in pod.ports
        if port.container == model.container and port.number in moved and port.protocol == "TCP"
    ]
    names = {number: tuple(port.name for port in own if port.name and port.number == number) for number in moved}
    operations = [replace(moved[port.number], *port_path(port.container, port.index), "containerPort") for port in own]
    operations += unname(pod, model.container, frozenset(name for found in names.values() for name in found))
    by_name = {name: moved[number] for number, found in names.items() for name in found}
    operations += follow(pod, model.container, {**moved, **by_name})
    pairs = tuple(PortPair(old, new, names[old]) for old, new in moved.items())
    listed = ", ".join(f"port {old} of container {model.name} moves to {new}" for old, new in moved.items())
    message = f"{listed} ({relocation.how}), and the proxy listens on {', '.join(map(str, moved))}"
    if not model.targets and not model.forwarders:
        message += "; no Service targets it yet"
    return InterceptionPlan(
        InterceptionMode.MOVE, relocation.reason, message, pairs, (*relocation.operations, *operations)
    )


def _plan_redirect(pod: PodView, context: Context, model: InjectedServer) -> InterceptionPlan:
    if mesh := mesh_of(pod, context):
        what = f"redirect would compete with the rules of {mesh}"
        raise NotInjectedError(InjectionReason.MESH, what)
    if model.forwarders:
        what = f"container {model.forwarders[0]} connects to the loopback interface, which redirect leaves alone"
        raise NotInjectedError(InjectionReason.FORWARDED_BY_NUMBER, what)
    level = context.labels.get(ENFORCE, "privileged" if _requested(pod, context) == "redirect" else "")
    if level != "privileged":
        what = f"the label {ENFORCE} of namespace {context.namespace} is {quote_value(level)}"
        raise NotInjectedError(InjectionReason.NOT_PRIVILEGED, what)
    numbers = free_ports(pod, frozenset(model.ports))
    pairs = tuple(PortPair(next(numbers), number) for number in model.ports)
    rules = [(pair.upstream, pair.listen) for pair in pairs]
    operations = []
    # The proxy accepts a connection before the model server does: a probe that only connects must bypass the proxy.
    bypasses: dict[int, int] = {}
    names = {port.name: port.number for port in pod.ports if port.container == model.container and port.name}
    for reference in pod.references():
        number = names.get(reference.port, 0) if isinstance(reference.port, str) else reference.port
        if reference.handler == "tcpSocket" and number in model.ports:
            bypasses[number] = bypasses.get(number) or next(numbers)
            operations.append(replace(bypasses[number], *reference.path))
    rules += [(listen, number) for number, listen in bypasses.items()]
    listed = ", ".join(map(str, model.ports))
    message = f"nftables rules redirect port {listed} of container {model.name} to the proxy"
    return InterceptionPlan(
        InterceptionMode.REDIRECT, InjectionReason.PRIVILEGED_NAMESPACE, message, pairs, tuple(operations), tuple(rules)
    )


_MODES: Mapping[str, Callable[[PodView, Context, InjectedServer], InterceptionPlan]] = MappingProxyType(
    {"move": _plan_move, "port": _plan_port, "redirect": _plan_redirect}
)


def _refuse_ambiguous_names(pod: PodView, model: InjectedServer) -> None:
    """Refuse a port name of a Service that another container has too: it would then lead there, not to the proxy."""
    names = {target.name for target in model.targets if target.name}
    sidecars = [item for item in pod.init_containers if item.get("restartPolicy")]
    others = [item for index, item in enumerate(pod.containers) if index != model.container]
    for container in (*others, *sidecars):
        for port in container.get("ports") or ():
            if port.get("name") in names and (port.get("protocol") or "TCP") == "TCP":
                what = f"container {container.get('name')} has a port with the name {port['name']} too"
                raise NotInjectedError(InjectionReason.NAME_TAKEN, what)


def _requested(pod: PodView, context: Context) -> str:
    wanted = pod.annotations.get(INTERCEPTION) or (context.monitor.interception if context.monitor else _AUTO)
    if wanted != _AUTO and wanted not in _MODES:
        what = f"the annotation {INTERCEPTION} is {quote_value(wanted)}; known are auto, {', '.join(_MODES)}"
        raise NotInjectedError(InjectionReason.ANNOTATION_INVALID, what)
    return wanted


def _refuse_taken_ports(pod: PodView, model: InjectedServer) -> None:
    for number in (ADMIN_PORT, HEALTH_PORT):
        if number in pod.used_numbers or number in model.ports:
            raise NotInjectedError(InjectionReason.PORT_TAKEN, f"the pod uses port {number}, which the sidecars need")
    for port in pod.ports:
        if port.container == model.container and port.number in model.ports and port.is_on_host:
            what = f"port {port.number} of container {model.name} has a hostPort, which bypasses the proxy"
            raise NotInjectedError(InjectionReason.HOST_PORT, what)
