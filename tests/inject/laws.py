"""Laws of an injection, checked on a pod before and after, without the code under test."""

from __future__ import annotations

import re
from typing import Any

from .patching import Network, probes

DOCUMENTED = re.compile(
    r"/metadata/(annotations|labels)(/pilotfish\.dev~1(injection|injected|release))?"
    r"|/metadata/annotations/cluster-autoscaler\.kubernetes\.io~1safe-to-evict-local-volumes"
    r"|/spec/(initContainers|volumes|imagePullSecrets)(/-|/\d+)?"
    r"|/spec/containers/\d+/(args|command|env)(/-|/\d+)?"
    r"|/spec/containers/\d+/ports/\d+/(name|containerPort)"
    r"|/spec/containers/\d+/(livenessProbe|readinessProbe|startupProbe|lifecycle/(postStart|preStop))"
    r"/(httpGet|tcpSocket|grpc)/port"
    r"|/spec/securityContext(/sysctls(/-|/\d+/value)?)?"
    r"|/spec/resources/(requests|limits)/(cpu|memory)"
)
OURS = ("pilotfish-redirect", "pilotfish-proxy", "pilotfish-analyzer")


def check_paths(patch: list[dict[str, Any]]) -> None:
    assert [item["path"] for item in patch if not DOCUMENTED.fullmatch(item["path"])] == []


def check_containers(before: dict[str, Any], after: dict[str, Any]) -> None:
    """The pod's own containers keep their order and their images; ours come together and in order."""
    old = [item["name"] for item in before["spec"].get("initContainers") or []]
    new = [item["name"] for item in after["spec"].get("initContainers") or []]
    assert [name for name in new if name not in OURS] == old
    assert [name for name in new if name in OURS] in ([*OURS], [*OURS[1:]])
    assert [item["name"] for item in after["spec"]["containers"]] == [
        item["name"] for item in before["spec"]["containers"]
    ]
    for container in after["spec"]["initContainers"]:
        if container["name"] in OURS:
            assert {"cpu", "memory"} <= {*container["resources"]["requests"]}


def check_names(before: dict[str, Any], after: dict[str, Any]) -> None:
    """No port name exists twice that was unique before."""
    old, new = _names(before), _names(after)
    assert {name for name in new if new.count(name) > max(old.count(name), 1)} == set()
    names = [item["name"] for item in [*after["spec"]["containers"], *after["spec"]["initContainers"]]]
    assert len({*names}) == len(names)


def _names(pod: dict[str, Any]) -> list[str]:
    found = []
    for container in [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]:
        own = [port["name"] for port in container.get("ports") or [] if port.get("name")]
        assert len({*own}) == len(own), container["name"]
        found += own
    return found


def check_traffic(before: Network, after: Network, target: int | str, intercepted: set[tuple[str, int]]) -> None:
    """The target of a Service reaches what it reached, through the proxy for the servers in `intercepted`.

    `intercepted` has the container and the original port of each server behind the proxy.
    """
    old, new = before.resolve(target), after.resolve(target)
    reached = before.from_outside(old) if old is not None else None
    if reached is None:
        return
    now = after.from_outside(new) if new is not None else None
    assert now is not None, f"{target} reaches nothing"
    assert (now.container, now.port) == (reached.container, reached.port), target
    if (reached.container, reached.port) in intercepted:
        assert now.by_proxy, f"{target} bypasses the proxy"


def check_probes(before: Network, after: Network) -> None:
    """Each probe reaches what it reached; one that only connects reaches the server itself, not the proxy."""
    now = dict(probes(after.pod))
    for key, port in probes(before.pod):
        reached = before.from_outside(port) if port is not None else None
        if reached is not None:
            found = after.from_outside(now[key] or 0)
            assert found is not None, f"the probe {key} reaches nothing"
            assert (found.container, found.port) == (reached.container, reached.port)
            assert not (found.by_proxy and key[2] == "tcpSocket"), f"the probe {key} reaches the proxy"


def qos(pod: dict[str, Any]) -> str:
    """The class of a pod by its definition, for canonical quantities."""
    level = pod["spec"].get("resources")
    blocks = [level] if level else [
        item.get("resources") or {} for item in [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
    ]  # fmt: skip
    if not any(block.get(side) for block in blocks for side in ("requests", "limits")):
        return "BestEffort"
    for block in blocks:
        limits, requests = block.get("limits") or {}, block.get("requests") or {}
        for kind in ("cpu", "memory"):
            limit = limits.get(kind)
            if limit is None or _plain(requests.get(kind, limit)) != _plain(limit):
                return "Burstable"
    return "Guaranteed"


def _plain(value: str) -> float:
    number = re.match(r"[0-9.]+", str(value))
    assert number
    unit = {"m": 1e-3, "Mi": 2**20, "Gi": 2**30, "": 1}[str(value)[number.end() :]]
    return round(float(number[0]) * unit, 6)
