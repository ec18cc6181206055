"""The block `spec.resources` of the document: one container whose requests and limits follow its real use.

The defaults are those of the VerticalPodAutoscaler, apart from what throttling and kills for memory add.
See docs/resizing-algorithm.md.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .blocks import DAY, Cores, DnsName, DocumentBlock, Duration, Mode, Name, Size

Percentile = Annotated[
    float,
    Meta(
        description="Percentile of the use that the request covers, as a share: 0.9 covers 90 % of the time.",
        gt=0,
        le=1,
    ),
]
Margin = Annotated[float, Meta(description="Safety margin, as a share of the percentile.", ge=0, le=10)]


HalfLife = Annotated[
    Duration,
    Meta(description="Time after which a sample has half of its weight. A shorter one follows the load within a day."),
]


class CpuRange(DocumentBlock, frozen=True, kw_only=True):
    """How the CPU request is recommended, and its bounds."""

    max: Annotated[Cores, Meta(description="Maximum number of cores.")]
    min: Annotated[Cores, Meta(description="Minimum number of cores.")] = 0.025
    percentile: Percentile = 0.9
    margin: Margin = 0.15
    half_life: HalfLife = DAY
    raise_when_throttled: Annotated[
        bool,
        Meta(
            description="Whether the request is raised while the CPU limit throttles the container; with a latency "
            "target, only while that is missed. `false`: as the VerticalPodAutoscaler."
        ),
    ] = True


class MemoryRange(DocumentBlock, frozen=True, kw_only=True):
    """How the memory request is recommended, and its bounds."""

    max: Annotated[Size, Meta(description="Maximum size.")]
    min: Annotated[Size, Meta(description="Minimum size.")] = 250 * 1024 * 1024
    percentile: Percentile = 0.9
    margin: Margin = 0.15
    half_life: HalfLife = DAY
    after_oom_kill: Annotated[
        Duration,
        Meta(
            description="Time for which the request stays at least at what the last kill for memory asked for, "
            "even if only one of many pods was killed. `0s`: as the VerticalPodAutoscaler."
        ),
    ] = DAY


class ResizeLatency(DocumentBlock, frozen=True, kw_only=True):
    """A latency target. While it is met, throttling asks for no CPU."""

    target: Annotated[Duration, Meta(description="Target duration of the quantile, to the last byte of the response.")]
    quantile: Annotated[
        float, Meta(description="Quantile to compare with the target: 0.5, 0.95 or 0.99.", gt=0, lt=1)
    ] = 0.95


class Resources(DocumentBlock, frozen=True, kw_only=True):
    """Resizing of the CPU and memory of one container by its use, in a cluster only."""

    container: Annotated[Name, Meta(description="Name of the container.")]
    method: Annotated[
        Literal["inPlace", "rollout"],
        Meta(
            description="`inPlace` resizes the running pods and leaves the template of the target as it is. `rollout` "
            "changes the template, which replaces all pods."
        ),
    ] = "inPlace"
    cpu: Annotated[CpuRange | None, Meta(description="The CPU request. Without it, CPU stays as it is.")] = None
    memory: Annotated[
        MemoryRange | None, Meta(description="The memory request. Without it, memory stays as it is.")
    ] = None
    controlled_values: Annotated[
        Literal["RequestsAndLimits", "RequestsOnly"],
        Meta(
            description="`RequestsAndLimits`: limits keep their ratio to the requests. `RequestsOnly`: limits stay as "
            "they are."
        ),
    ] = "RequestsAndLimits"
    allow_restart: Annotated[
        bool,
        Meta(
            description="Whether to resize a container whose `resizePolicy` restarts it. Without this, such a resize "
            "is only recommended."
        ),
    ] = False
    latency: Annotated[
        ResizeLatency | None,
        Meta(description="Latency target. While it is met, throttling does not raise the CPU."),
    ] = None
    pool: Annotated[
        DnsName | None,
        Meta(
            description="Name of a pool of CPU, which the administrator defines. All monitors of the namespace "
            "that name it share its CPU."
        ),
    ] = None
    min_history: Annotated[
        Duration,
        Meta(description="Minimum time of observation before a resize. Each sample counts as a minute at most."),
    ] = 600.0
    cooldown: Annotated[Duration, Meta(description="Minimum time between two resizes of a pod.")] = 60.0
    actions_per_hour: Annotated[int, Meta(description="Maximum number of resizes in any hour.", ge=1, le=600)] = 60
    interval: Annotated[Duration, Meta(description="Time between two samples of the use.")] = 60.0
    mode: Annotated[Mode | None, Meta(description="Mode of this block, instead of the common value.")] = None
