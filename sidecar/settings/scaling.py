"""The block `spec.scaling` of the document, for a cluster only."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from .blocks import DAY, DnsName, DocumentBlock, Duration, Mode, Name, Positive, Ratio

Percent = Annotated[int, Meta(ge=1, le=10_000)]


class ConcurrencySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="concurrency"):
    """Requests in flight for each replica."""

    target: Annotated[Positive, Meta(description="Desired number of requests in flight for each replica.")]


class CpuSignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="cpu"):
    """CPU use of the pods, by metrics.k8s.io."""

    target_utilization: Annotated[Percent, Meta(description="Desired use, in percent of the requests of the pods.")]
    container: Annotated[
        Name | None, Meta(description="Container to look at. Without it, all containers but those of Pilotfish.")
    ] = None


class LatencySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="latency"):
    """Time to the last byte of the response: a gate, which adds one policy step at most and forbids fewer replicas."""

    target: Annotated[Duration, Meta(description="Target duration of the quantile.")]
    quantile: Annotated[
        float, Meta(description="Quantile to compare with the target: 0.5, 0.95 or 0.99.", gt=0, lt=1)
    ] = 0.95


class MemorySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="memory"):
    """Memory use of the pods, by metrics.k8s.io."""

    target_utilization: Annotated[Percent, Meta(description="Desired use, in percent of the requests of the pods.")]
    container: Annotated[
        Name | None, Meta(description="Container to look at. Without it, all containers but those of Pilotfish.")
    ] = None


class PrometheusSignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="prometheus"):
    """The result of a query of Prometheus, which the administrator of the controller must enable."""

    name: Annotated[DnsName, Meta(description="Name of the signal, in metrics and in the status.")]
    query: Annotated[
        str, Meta(description="Query in PromQL whose result is one number.", min_length=1, max_length=2048)
    ]
    target: Annotated[Positive, Meta(description="Desired value, by `targetType`.")]
    target_type: Annotated[
        Literal["average", "value"],
        Meta(description="`average`: the result divided by the number of replicas. `value`: the result itself."),
    ] = "average"


class RequestRateSignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="requestRate"):
    """Requests per second for each replica."""

    target: Annotated[Positive, Meta(description="Desired number of requests per second for each replica.")]


Signal = ConcurrencySignal | CpuSignal | LatencySignal | MemorySignal | PrometheusSignal | RequestRateSignal


def signal_id(signal: Signal) -> str:
    """Return the name of a signal in metrics and in the status, unique within a document: its type, or its own name."""
    return signal.name if isinstance(signal, PrometheusSignal) else str(signal.__struct_config__.tag)


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


class ColdStart(DocumentBlock, frozen=True, kw_only=True):
    """How replicas count that were started and have not answered a request yet."""

    enabled: Annotated[
        bool,
        Meta(
            description="Whether a starting replica counts like one that answers, for its start-up time. "
            "`false`: as in autoscaling/v2."
        ),
    ] = True
    assumed: Annotated[Duration, Meta(description="Start-up time until the first one has been measured.")] = 60.0
    deadline: Annotated[
        Duration, Meta(description="Time after which a replica that has not answered is given up and replaced.")
    ] = 1800.0


class Forecast(DocumentBlock, frozen=True, kw_only=True):
    """Replicas for the load that is expected after one start-up time, if past periods repeat."""

    enabled: Annotated[
        bool, Meta(description="Whether a forecast may add replicas. It never removes one, and needs `coldStart`.")
    ] = True
    period: Annotated[Duration, Meta(description="Time after which the load repeats, such as `1d` or `1w`.")] = 7 * DAY


class Scaling(DocumentBlock, frozen=True, kw_only=True):
    """Scaling of the replicas by signals, in a cluster only."""

    max_replicas: Annotated[int, Meta(description="Maximum number of replicas.", ge=1, le=2**31 - 1)]
    min_replicas: Annotated[int, Meta(description="Minimum number of replicas.", ge=1, le=2**31 - 1)] = 1
    signals: Annotated[
        tuple[Signal, ...],
        Meta(description="Each signal proposes a number of replicas. The largest applies.", max_length=10),
    ] = ()
    behavior: Annotated[ScalingBehavior, Meta(description="How fast the replicas change, as in autoscaling/v2.")] = (
        ScalingBehavior()
    )
    surface: Annotated[
        Literal["scale", "metric"],
        Meta(
            description="`scale` sets the replicas of the target. `metric` only publishes the desired number, for an "
            "autoscaler that reads it."
        ),
    ] = "scale"
    take_ownership: Annotated[
        bool,
        Meta(
            description="Whether to set the replicas although another field manager, such as `helm`, owns them. "
            "An HPA or a ScaledObject is never overridden."
        ),
    ] = False
    manual_hold: Annotated[
        Duration, Meta(description="Time for which a number of replicas that someone else set stays as it is.")
    ] = 1800.0
    cooldown: Annotated[Duration, Meta(description="Minimum time between two changes of the replicas.")] = 0.0
    actions_per_hour: Annotated[
        int, Meta(description="Maximum number of changes of the replicas in any hour.", ge=1, le=120)
    ] = 30
    interval: Annotated[Duration, Meta(description="Time between two evaluations of the signals.")] = 15.0
    smoothing: Annotated[
        Duration,
        Meta(
            description="Replicas are removed only if the mean load over this time allows it, with a headroom of "
            "15 %. More replicas are added at once. `0s`: as in autoscaling/v2."
        ),
    ] = 60.0
    cold_start: Annotated[ColdStart, Meta(description="Replicas that have not answered a request yet.")] = ColdStart()
    forecast: Annotated[Forecast, Meta(description="Replicas for a load that repeats.")] = Forecast()
    mode: Annotated[Mode | None, Meta(description="Mode of this block, instead of the common value.")] = None
