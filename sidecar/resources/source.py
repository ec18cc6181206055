"""Chooses the source of the resource figures, and finds the processes of the model server.

Order: the option `--upstream-pid`, then the node's Pilotfish if it answers, then the process that listens at the
address of the upstream. Without these, the source is `rules` in a cluster, and none elsewhere. With the option
`--resources local` it is `local` without a process: the GPUs are still shown.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..report.blocks.resources import ResourceSource, Source, SourceReason
from ..system.addresses import Address
from . import listeners
from .pod.reading import NodeReading
from .processes import PROC, ProcessStat

AUTO = "auto"
# programs that publish the port of a container, a pod or another machine
FORWARDERS = frozenset(("docker-proxy", "kubectl", "pasta", "rootlessport", "slirp4netns", "socat", "ssh", "sshd"))
CHOICES = (AUTO, "local", "node", "none", "rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to find the model server.

    Attributes:
        choice: of the option `--resources`, one of `CHOICES`.
        pid: of the option `--upstream-pid`; None without it.
        addresses: of the upstreams.
        gpus: UUIDs of GPUs and MIG instances that only the model server uses, of the option `--model-gpu`.
        cluster: whether this process runs in a pod, where other containers are hidden and rules can take over.
        root: process that started all of Pilotfish, of which this process is one.
    """

    choice: str = AUTO
    pid: int | None = None
    addresses: tuple[Address, ...] = ()
    gpus: tuple[str, ...] = ()
    cluster: bool = False
    root: int = 0


def own_process() -> SourceOptions:
    """Return the options of a process that nobody supervises: without a way to find the model server."""
    return SourceOptions(root=os.getpid())


@dataclass(frozen=True, slots=True)
class Found:
    """The source, and the processes of the model server if it is `local`."""

    source: ResourceSource
    pids: frozenset[int] = field(default_factory=frozenset)


def choose(
    options: SourceOptions,
    processes: Mapping[int, ProcessStat],
    own: Collection[int],
    node: NodeReading | None = None,
    proc: Path = PROC,
) -> Found:
    """Return the source.

    `own` are the processes of Pilotfish, which may hold a socket of the same address. `node` is what is known of the
    node's Pilotfish; None if this process asks none.
    """
    if options.choice == "none":
        return _without("none", SourceReason.TURNED_OFF)
    if options.choice == "rules":
        return _without("rules", SourceReason.CHOSEN)
    if options.choice == "node":
        return _from_node(node or NodeReading())
    if options.pid is not None and options.pid in processes:
        return _local(SourceReason.PID, frozenset((options.pid,)))
    if options.pid is None and options.choice == AUTO and node is not None and node.figures is not None:
        return _from_node(node)
    found, reason = frozenset[int](), SourceReason.PID_GONE
    if options.pid is None:
        found, reason = _listening(options, processes, own, proc)
    if found:
        return _local(SourceReason.LISTENER, found)
    if options.choice == "local" and reason is not SourceReason.REMOTE:
        cause = f"{SourceReason.NO_PROCESS.meaning}: {reason.meaning}; {SourceReason.NO_PROCESS.remedy}"
        return Found(ResourceSource(kind="local", reason=SourceReason.NO_PROCESS.value, text=cause))
    if options.cluster and options.choice == AUTO and options.pid is None:
        return _from_node(node) if node is not None else _without("rules", SourceReason.CLUSTER)
    return _without("none", reason)


def _listening(
    options: SourceOptions, processes: Mapping[int, ProcessStat], own: Collection[int], proc: Path
) -> tuple[frozenset[int], SourceReason]:
    """Return the processes that listen at the addresses of the upstreams, and why there is none."""
    reason = SourceReason.NOT_FOUND if options.addresses else SourceReason.UNKNOWN_UPSTREAM
    found: set[int] = set()
    for address in options.addresses:
        hosts = set() if address.path else listeners.own_addresses(address)
        if not hosts and not address.path:
            reason = SourceReason.UNRESOLVED if hosts is None else SourceReason.REMOTE
            continue
        holders = listeners.owners(listeners.inodes_at(address, hosts or set(), proc), proc) - set(own)
        forwarders = {pid for pid in holders if pid in processes and processes[pid].name in FORWARDERS}
        reason = SourceReason.FORWARDER if forwarders else reason
        found |= holders - forwarders
    return frozenset(found), reason


def _from_node(node: NodeReading) -> Found:
    """Return the source `node`, or `rules` with the reason for which the node has no figures."""
    if node.figures is not None:
        text = f"{node.reason.meaning}: {node.figures.node}"
        return Found(ResourceSource(kind="node", reason=node.reason.value, text=text))
    return _without("rules", node.reason, node.detail)


def _local(reason: SourceReason, pids: frozenset[int]) -> Found:
    text = f"{reason.meaning}: process {min(pids)}"
    return Found(ResourceSource(kind="local", reason=reason.value, text=text, pid=min(pids)), pids)


def _without(kind: Source, reason: SourceReason, detail: str = "") -> Found:
    meaning = f"{reason.meaning}: {detail}" if detail else reason.meaning
    text = "; ".join(filter(None, (meaning, reason.remedy)))
    return Found(ResourceSource(kind=kind, reason=reason.value, text=text))
