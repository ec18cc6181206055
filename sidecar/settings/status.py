"""The status of a ModelMonitor: the controller writes it, and nothing reads it as a setting.

Conditions follow Kubernetes (kstatus). Field names are part of the resource: add fields, never rename one.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

MAX_EPISODES = 20

Time = Annotated[
    str,
    Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?Z$", max_length=64),
]
Message = Annotated[str, Meta(max_length=32768)]
Word = Annotated[str, Meta(max_length=253)]
Count = Annotated[int, Meta(ge=0)]


class StatusBlock(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Base class of the objects in the status. Times are RFC 3339 in UTC. Defaults are left out."""


class Condition(StatusBlock, frozen=True, kw_only=True):
    """One condition, as in Kubernetes."""

    type: Annotated[str, Meta(description="Type, such as `Ready` (docs/modelmonitor.md).", min_length=1, max_length=63)]
    status: Annotated[Literal["True", "False", "Unknown"], Meta(description="Whether it holds.")]
    reason: Annotated[
        str,
        Meta(
            description="Reason in CamelCase (docs/reasons.md).",
            pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            min_length=1,
            max_length=253,
        ),
    ]
    message: Annotated[Message, Meta(description="What happened, and what to do.")] = ""
    last_transition_time: Annotated[Time, Meta(description="When `status` last changed.")]
    observed_generation: Annotated[Count, Meta(description="Generation of the document that it is about.")] = 0


class RetrainingStatus(StatusBlock, frozen=True, kw_only=True):
    """The retraining of one episode."""

    kind: Annotated[Word, Meta(description="`webhook`, `Job`, `Workflow` or `PipelineRun`.")]
    name: Annotated[Word, Meta(description="Name of the object, or host of the receiver.")] = ""
    state: Annotated[Word, Meta(description="State of the intent or of the object, such as `running`.")]
    reason: Annotated[Word, Meta(description="Reason of the state (docs/reasons.md).")] = ""


class EpisodeSummary(StatusBlock, frozen=True, kw_only=True):
    """One episode of drift or of worse performance."""

    id: Annotated[Word, Meta(description="Id, as in the report and in events.")]
    cause: Annotated[Word, Meta(description="`drift` or `performance`.")]
    family: Annotated[Word, Meta(description="Family of the evidence, such as `inputs`.")] = ""
    opened_at: Annotated[Time, Meta(description="When the alarm was raised.")]
    closed_at: Annotated[Time | None, Meta(description="When the episode ended.")] = None
    closed_by: Annotated[Word, Meta(description="Why it ended (docs/reasons.md).")] = ""
    summary: Annotated[Message, Meta(description="What changed, in words.")] = ""
    retraining: Annotated[RetrainingStatus | None, Meta(description="The retraining for this episode.")] = None


class PodsStatus(StatusBlock, frozen=True, kw_only=True, omit_defaults=False):
    """The pods of the target."""

    heard: Annotated[Count, Meta(description="Pods that have sent counts lately.")] = 0
    expected: Annotated[Count, Meta(description="Running pods of the target that have a sidecar.")] = 0


class ProfileStatus(StatusBlock, frozen=True, kw_only=True):
    """The profile in force."""

    hash: Annotated[Word, Meta(description="Hash of the profile.")]
    version: Annotated[Word, Meta(description="Version of the model that it is for.")] = ""


class ReplicasStatus(StatusBlock, frozen=True, kw_only=True):
    """The replicas of the target, with the block `spec.scaling`."""

    current: Annotated[Count | None, Meta(description="Replicas that the target asks for.")] = None
    desired: Annotated[Count | None, Meta(description="Replicas that are wanted; absent while that is not known.")] = (
        None
    )
    reason: Annotated[Word, Meta(description="Why they are as they are (docs/reasons.md).")] = ""
    message: Annotated[Message, Meta(description="The reason in words, and what to do.")] = ""
    owner: Annotated[Word, Meta(description="Who else sets the replicas.")] = ""
    last_scale_time: Annotated[Time | None, Meta(description="When Pilotfish last changed them.")] = None


Resource = Literal["cpu", "memory"]


class ResourceAmounts(StatusBlock, frozen=True, kw_only=True):
    """An amount of each resource that it is about, as quantities of Kubernetes."""

    cpu: Annotated[Word, Meta(description="Cores, such as `250m`.")] = ""
    memory: Annotated[Word, Meta(description="Bytes, such as `512Mi`.")] = ""


class ResourcesStatus(StatusBlock, frozen=True, kw_only=True):
    """The resources of one container of the target, with the block `spec.resources`."""

    container: Annotated[Word, Meta(description="Name of the container.", min_length=1)]
    target: Annotated[
        ResourceAmounts | None, Meta(description="Recommended requests; absent while that is not known.")
    ] = None
    lower_bound: Annotated[ResourceAmounts | None, Meta(description="Requests below it are too small.")] = None
    upper_bound: Annotated[ResourceAmounts | None, Meta(description="Requests above it are too large.")] = None
    uncapped: Annotated[
        ResourceAmounts | None, Meta(description="Recommended requests without the bounds of the document.")
    ] = None
    samples: Annotated[Count, Meta(description="Measurements that the recommendation is from.")] = 0
    confidence: Annotated[float, Meta(description="Days of observed use.", ge=0)] = 0.0
    withheld: Annotated[
        tuple[Resource, ...],
        Meta(description="Resources that Pilotfish does not set at present, also not of new pods.", max_length=2),
    ] = ()
    reason: Annotated[Word, Meta(description="Why they are as they are (docs/reasons.md).")] = ""
    message: Annotated[Message, Meta(description="The reason in words, and what to do.")] = ""
    resized: Annotated[Count, Meta(description="Pods whose container has the recommended requests.")] = 0
    pending: Annotated[Count, Meta(description="Pods whose container is to be resized, or is being resized.")] = 0
    pool_share: Annotated[Word, Meta(description="Cores of each pod, by the pool that the monitor is in.")] = ""
    last_resize_time: Annotated[Time | None, Meta(description="When Pilotfish last resized a container.")] = None


class ModelMonitorStatus(StatusBlock, frozen=True, kw_only=True):
    """What the controller observed and did."""

    observed_generation: Annotated[Count, Meta(description="Generation of the newest document that was read.")] = 0
    conditions: Annotated[tuple[Condition, ...], Meta(description="Conditions, one of each type.", max_length=16)] = ()
    episodes: Annotated[
        tuple[EpisodeSummary, ...], Meta(description="The newest episodes, the newest first.", max_length=MAX_EPISODES)
    ] = ()
    pods: Annotated[PodsStatus | None, Meta(description="The pods of the target.")] = None
    profile: Annotated[ProfileStatus | None, Meta(description="The profile in force.")] = None
    replicas: Annotated[ReplicasStatus | None, Meta(description="The replicas, with `spec.scaling`.")] = None
    resources: Annotated[
        tuple[ResourcesStatus, ...],
        Meta(description="The resources of the containers, with `spec.resources`.", max_length=8),
    ] = ()
