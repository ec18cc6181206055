"""Completes the containers of the template for a pod."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .context import Context, Json
from .errors import NotInjectedError
from .plan import InterceptionPlan
from .pod import PodView
from .reasons import InjectionReason
from .resources import sized
from .template import SidecarTemplate

_USER = 65532  # that of the image
_TABLE = "inet pilotfish"


def sidecars(plan: InterceptionPlan, pod: PodView, context: Context, template: SidecarTemplate) -> list[dict[str, Any]]:
    """Return the init containers to add, in their order. Raises NotInjectedError if they do not fit into the pod."""
    found = [_proxy(plan, template.proxy), dict(template.analyzer)]
    if plan.rules:
        found.insert(0, {**template.redirect, "args": [redirect_rules(plan.rules)]})
    for container in found:
        container["resources"] = sized(container, pod, context, template.guaranteed_cpu[container["name"]])
        container["securityContext"] = _security(container, pod)
    return found


def redirect_rules(rules: tuple[tuple[int, int], ...]) -> str:
    """Return the command of nft that redirects each first port to the second one, for packets from outside the pod."""
    chain = f"add chain {_TABLE} prerouting {{ type nat hook prerouting priority dstnat; }}"
    redirects = [f"add rule {_TABLE} prerouting tcp dport {port} redirect to :{to}" for port, to in rules]
    return "; ".join([f"add table {_TABLE}", f"flush table {_TABLE}", chain, *redirects])


def refuse_taken_names(pod: PodView, template: SidecarTemplate) -> None:
    """Raise NotInjectedError if the pod has a container, volume or port with a name that the sidecars need."""
    containers = {template.proxy["name"], template.analyzer["name"], template.redirect["name"]}
    ours = {
        "container": containers,
        "volume": {volume["name"] for volume in template.volumes},
        "port": {port["name"] for name in ("proxy", "analyzer") for port in getattr(template, name).get("ports") or ()},
    }
    theirs = {
        "container": {container.get("name") for container in pod.all_containers},
        "volume": {volume.get("name") for volume in pod.spec.get("volumes") or ()},
        "port": {port.get("name") for item in pod.all_containers for port in item.get("ports") or ()},
    }
    for kind, names in ours.items():
        for name in sorted(names & theirs[kind]):
            raise NotInjectedError(InjectionReason.NAME_TAKEN, f"the pod has a {kind} with the name {name} already")


def _proxy(plan: InterceptionPlan, container: Json) -> dict[str, Any]:
    pairs = [(f"--listen=:{pair.listen}", f"--upstream=127.0.0.1:{pair.upstream}") for pair in plan.pairs]
    ports: list[Mapping[str, Any]] = []
    for pair in plan.pairs:
        numbered = {"containerPort": pair.listen, "protocol": "TCP"}
        ports += [{"name": name, **numbered} for name in pair.names] or [numbered]
    return {
        **container,
        "args": [*container.get("args", ()), *(option for pair in pairs for option in pair)],
        "ports": [*ports, *container.get("ports", ())],
    }


def _security(container: Json, pod: PodView) -> dict[str, Any]:
    """Return the security context: the user of the image if the pod demands root, which runAsNonRoot would refuse."""
    own = dict(container.get("securityContext") or {})
    is_root = (pod.spec.get("securityContext") or {}).get("runAsUser") == 0
    return {**own, "runAsNonRoot": True, "runAsUser": _USER} if is_root and "runAsUser" not in own else own
