"""Block of the Report about resources: their source, what was used, who used it, and what it cost.

A value that is not known is None, never 0; `notes` has the reason.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ...reason import ReasonTable
from .sharing import CardSharing
from .tokens import RuleShare, TokenCost

Source = Literal["local", "node", "none", "rules"]


class SourceReason(ReasonTable):
    """Why the resource figures come from their source."""

    CHOSEN = ("chosen", "the option `--resources` names this source")
    CLUSTER = (
        "cluster",
        "the processes of other containers are hidden; recording rules use the series of cAdvisor and dcgm-exporter",
        "install the recording rules, or set `shareProcessNamespace: true`",
    )
    FORWARDER = (
        "forwarder",
        "a program that only forwards the connections listens at the address of the upstream",
        "give `--upstream-pid` with the process of the model server",
    )
    LISTENER = ("listener", "the process that listens at the address of the upstream was found")
    NODE = ("node", "`pilotfish node` on this node answers with the figures of this pod")
    NODE_INVALID = (
        "node_invalid",
        "the answer of `pilotfish node` cannot be read",
        "use the same release on both sides",
    )
    NODE_REFUSED = (
        "node_refused",
        "`pilotfish node` refused the request",
        "check the audience and the pod of the token in `--node-token`",
    )
    NODE_STALE = (
        "node_stale",
        "`pilotfish node` has stopped to answer",
        "look at the log and the load of its pod on this node",
    )
    NODE_STARTING = ("node_starting", "`pilotfish node` is asked for the first time")
    NODE_UNREACHABLE = (
        "node_unreachable",
        "`pilotfish node` cannot be reached",
        "let its DaemonSet run on this node, and check `--node` and its Service",
    )
    NO_PROCESS = (
        "no_process",
        "no process of the model server is visible, so GPUs are shown as devices, and CPU and memory are not known",
        "give `--upstream-pid`, or name the GPUs that only the model server uses by `--model-gpu`",
    )
    NOT_FOUND = (
        "not_found",
        "no process that this one may see listens at the address of the upstream",
        "run the model server on this machine, or give `--upstream-pid`",
    )
    PID = ("pid", "the option `--upstream-pid` names the process")
    PID_GONE = (
        "pid_gone",
        "the process that `--upstream-pid` names does not exist",
        "start Pilotfish again with the id of the running process",
    )
    REMOTE = (
        "remote",
        "the upstream is on another machine",
        "run Pilotfish beside the model server",
    )
    STARTING = ("starting", "the first sample is being taken")
    TURNED_OFF = ("turned_off", "the option `--resources` is none")
    UNKNOWN_UPSTREAM = (
        "unknown_upstream",
        "the analyzer does not know the address of the upstream",
        "use `pilotfish run`, or give `--upstream-pid`",
    )
    UNRESOLVED = (
        "unresolved",
        "the name of the upstream does not resolve, so it is not known whether the model server is on this machine",
        "check `--upstream` and the name server; the name is looked up again, and `--upstream-pid` needs no name",
    )


class ResourceSource(msgspec.Struct, frozen=True, kw_only=True):
    """The source of the figures, a value of `SourceReason`, and both in words. `pid` is the model server's."""

    kind: Source
    reason: str
    text: str
    pid: int | None = None


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds in which at least one task waited for a resource, since the cgroup was made (PSI)."""

    cpu: float | None = None
    io: float | None = None
    memory: float | None = None


class ResourceUse(msgspec.Struct, frozen=True, kw_only=True):
    """What the model server, or Pilotfish, uses. Seconds and bytes of counters are since the counters began.

    `method` is `cgroup v1`, `cgroup v2` or `processes`: where CPU and memory come from. `cores` is the mean CPU time
    per second of the last minute.
    """

    of: Literal["model", "pilotfish"]
    method: str
    processes: int
    threads: int
    cpu_seconds: float
    cores: float | None = None
    throttled_seconds: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    oom_kills: int | None = None
    pressure: Pressure | None = None
    received_bytes: int | None = None
    sent_bytes: int | None = None


class ContainerUse(msgspec.Struct, frozen=True, kw_only=True):
    """One container of the pod, by its cgroup. Seconds and kills are since the container was started."""

    name: str
    processes: int
    cpu_seconds: float
    throttled_seconds: float | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    oom_kills: int | None = None
    pressure: Pressure | None = None


class Attributed(msgspec.Struct, frozen=True, kw_only=True):
    """Resources: of a route, or what no route used. `cost` is None without prices; GPU and energy without a GPU."""

    cpu_seconds: float | None = None
    gpu_seconds: float | None = None
    energy_joules: float | None = None
    memory_gib_seconds: float | None = None
    cost: float | None = None


class RouteUse(msgspec.Struct, frozen=True, kw_only=True):
    """The resources of one route of one model version; `exchanges` are all since the counters began.

    `in_flight_seconds` are those of the route, in all versions that it served.
    """

    route: str
    model: str
    version: str
    exchanges: int
    in_flight_seconds: float
    used: Attributed


class PredictionCost(msgspec.Struct, frozen=True, kw_only=True):
    """What a prediction of one model version uses and costs: the mean since the counters began.

    A prediction is a row where predictions are decoded, else an exchange; `per` says which. The mean of a resource is
    that of the predictions while it was measured, and the mean cost that of the predictions while prices were set.
    """

    model: str
    version: str
    per: Literal["exchange", "row"]
    predictions: int
    cpu_seconds: float | None = None
    gpu_seconds: float | None = None
    energy_joules: float | None = None
    cost_per_1000: float | None = None


class ResourceReport(msgspec.Struct, frozen=True, kw_only=True):
    """Source, use, attribution and cost. `containers` are known with the source `node`.

    `rule` names how use is shared between routes (docs/cost.md), and `rules` says how much of it by which rule.
    """

    source: ResourceSource
    rule: str = "equal in-flight time"
    use: tuple[ResourceUse, ...] = ()
    containers: tuple[ContainerUse, ...] = ()
    routes: tuple[RouteUse, ...] = ()
    idle: Attributed | None = None
    predictions: tuple[PredictionCost, ...] = ()
    tokens: tuple[TokenCost, ...] = ()
    rules: tuple[RuleShare, ...] = ()
    sharing: tuple[CardSharing, ...] = ()
    currency: str = ""
    notes: tuple[str, ...] = ()
