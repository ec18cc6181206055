"""Chooses the source of the resource figures, and finds the processes of the model server.

Order: the option `--upstream-pid`, then the process that listens at the address of the upstream. Without a process that
this one may see, the source is `rules` in a cluster, and none elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..report.blocks.resources import ResourceSource, Source, SourceReason
from ..system.addresses import Address
from . import listeners
from .processes import PROC, ProcessStat

AUTO = "auto"
# programs that publish the port of a container, a pod or another machine
FORWARDERS = frozenset(("docker-proxy", "kubectl", "pasta", "rootlessport", "slirp4netns", "socat", "ssh", "sshd"))
CHOICES = (AUTO, "local", "none", "rules")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """How to find the model server.

    Attributes:
        choice: of the option `--resources`, one of `CHOICES`.
        pid: of the option `--upstream-pid`; None without it.
        addresses: of the upstreams.
        cluster: whether this process runs in a pod, where other containers are hidden and rules can take over.
        root: process that started all of Pilotfish, of which this process is one.
    """

    choice: str = AUTO
    pid: int | None = None
    addresses: tuple[Address, ...] = ()
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
    options: SourceOptions, processes: Mapping[int, ProcessStat], own: Collection[int], proc: Path = PROC
) -> Found:
    """Return the source. `own` are the processes of Pilotfish, which may hold a socket of the same address."""
    if options.choice == "none":
        return _without("none", SourceReason.TURNED_OFF)
    if options.choice == "rules":
        return _without("rules", SourceReason.CHOSEN)
    if options.pid is not None:
        if options.pid in processes:
            return _local(SourceReason.PID, frozenset((options.pid,)))
        return _without("none", SourceReason.PID_GONE)
    reason = SourceReason.NOT_FOUND if options.addresses else SourceReason.UNKNOWN_UPSTREAM
    found: set[int] = set()
    for address in options.addresses:
        hosts = set() if address.path else listeners.own_addresses(address)
        if not hosts and not address.path:
            reason = SourceReason.REMOTE
            continue
        holders = listeners.owners(listeners.inodes_at(address, hosts, proc), proc) - set(own)
        forwarders = {pid for pid in holders if pid in processes and processes[pid].name in FORWARDERS}
        reason = SourceReason.FORWARDER if forwarders else reason
        found |= holders - forwarders
    if found:
        return _local(SourceReason.LISTENER, frozenset(found))
    if options.cluster and options.choice == AUTO:
        return _without("rules", SourceReason.CLUSTER)
    return _without("none", reason)


def _local(reason: SourceReason, pids: frozenset[int]) -> Found:
    text = f"{reason.meaning}: process {min(pids)}"
    return Found(ResourceSource(kind="local", reason=reason.value, text=text, pid=min(pids)), pids)


def _without(kind: Source, reason: SourceReason) -> Found:
    text = "; ".join(filter(None, (reason.meaning, reason.remedy)))
    return Found(ResourceSource(kind=kind, reason=reason.value, text=text))
