"""The blocks `spec.scaling` and `spec.resources` of the document, both for a cluster only."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .blocks import Cores, DocumentBlock, Duration, Mode, Name, Ratio, Size


class ConcurrencySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="concurrency"):
    """Requests in flight for each replica."""

    target: Annotated[float, Meta(description="Desired number of requests in flight for each replica.", gt=0)]


class LatencySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="latency"):
    """Time to the last byte of the response."""

    target: Annotated[Duration, Meta(description="Target duration of the quantile.")]
    quantile: Annotated[float, Meta(description="Quantile to compare with the target.", gt=0, lt=1)] = 0.95


Window = Annotated[int, Meta(ge=0, le=3600)]


class ScalingPolicy(DocumentBlock, frozen=True, kw_only=True):
    """The largest change of the replicas in a period."""

    type: Annotated[
        Literal["Pods", "Percent"], Meta(description="`Pods`: a number of replicas. `Percent`: a share of them.")
    ]
    value: Annotated[int, Meta(description="Largest change, in pods or percent.", ge=1, le=2**31 - 1)]
    period_seconds: Annotated[int, Meta(description="Length of the period, in seconds.", ge=1, le=1800)]


class ScalingRules(DocumentBlock, frozen=True, kw_only=True):
    """The rules for one direction of scaling."""

    stabilization_window_seconds: Annotated[
        Window | None,
        Meta(
            description="Time over which the safest proposal applies, in seconds. Without it, as in autoscaling/v2: 0 "
            "up, 300 down."
        ),
    ] = None
    select_policy: Annotated[
        Literal["Max", "Min", "Disabled"] | None,
        Meta(description="Which policy applies: `Max` (the default) the largest change, `Min` the smallest."),
    ] = None
    policies: Annotated[
        tuple[ScalingPolicy, ...],
        Meta(description="Limits of the change. Without one, those of autoscaling/v2 apply.", max_length=20),
    ] = ()
    tolerance: Annotated[
        Ratio | None, Meta(description="Relative deviation from the target that changes nothing. Without it, 0.1.")
    ] = None


class ScalingBehavior(DocumentBlock, frozen=True, kw_only=True):
    """The rules of scaling in both directions."""

    scale_up: Annotated[ScalingRules | None, Meta(description="Rules for more replicas.")] = None
    scale_down: Annotated[ScalingRules | None, Meta(description="Rules for fewer replicas.")] = None


class Scaling(DocumentBlock, frozen=True, kw_only=True):
    """Scaling of the replicas by signals, in a cluster only."""

    max_replicas: Annotated[int, Meta(description="Maximum number of replicas.", ge=1, le=2**31 - 1)]
    min_replicas: Annotated[int, Meta(description="Minimum number of replicas.", ge=1, le=2**31 - 1)] = 1
    signals: Annotated[
        tuple[ConcurrencySignal | LatencySignal, ...],
        Meta(description="Each signal proposes a number of replicas. The largest applies.", max_length=10),
    ] = ()
    behavior: Annotated[ScalingBehavior, Meta(description="How fast the replicas change, as in autoscaling/v2.")] = (
        ScalingBehavior()
    )
    mode: Annotated[Mode | None, Meta(description="Mode of this block, instead of the common one.")] = None


class CpuRange(DocumentBlock, frozen=True, kw_only=True):
    """Bounds of the CPU request."""

    min: Annotated[Cores, Meta(description="Minimum number of cores.")]
    max: Annotated[Cores, Meta(description="Maximum number of cores.")]


class MemoryRange(DocumentBlock, frozen=True, kw_only=True):
    """Bounds of the memory request."""

    min: Annotated[Size, Meta(description="Minimum size.")]
    max: Annotated[Size, Meta(description="Maximum size.")]


class Resources(DocumentBlock, frozen=True, kw_only=True):
    """Resizing of the CPU and memory of one container in place, in a cluster only."""

    container: Annotated[Name, Meta(description="Name of the container.")]
    method: Annotated[Literal["inPlace"], Meta(description="How the container is resized.")] = "inPlace"
    cpu: Annotated[CpuRange | None, Meta(description="Bounds of the CPU request.")] = None
    memory: Annotated[MemoryRange | None, Meta(description="Bounds of the memory request.")] = None
    mode: Annotated[Mode | None, Meta(description="Mode of this block, instead of the common one.")] = None
