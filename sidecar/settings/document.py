"""The ModelMonitor document: every setting with its meaning, unit, default and bounds.

The same document is a file on a laptop and a custom resource in a cluster. `parse` and `load` read it once, at start,
into these frozen structs: durations are float seconds, sizes are int bytes, cores are float. Field names are camelCase
in the document. The JSON schema and docs/configuration.md show the descriptions below. Users' documents depend on every
name and default, so add settings but do not rename any.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from .blocks import Cores, DnsName, DocumentBlock, Duration, Name, OneLine, Size, Tolerance, Word
from .traffic import Traffic
from .webhooks import Notify, Webhook

DAY = 86400.0

Mode = Literal["observe", "recommend", "act"]


class Metadata(DocumentBlock, frozen=True, kw_only=True):
    """The name of the monitor, and the metadata that Kubernetes stores and Pilotfish ignores."""

    name: Annotated[DnsName, Meta(description="Name of the monitor. Events, metrics and the report show it.")]
    namespace: Annotated[str | None, Meta(description="Namespace, in a cluster.")] = None
    labels: Annotated[dict[str, str] | None, Meta(description="Labels, as in Kubernetes.")] = None
    annotations: Annotated[dict[str, str] | None, Meta(description="Annotations, as in Kubernetes.")] = None
    uid: Annotated[str | None, Meta(description="Set by Kubernetes.")] = None
    resource_version: Annotated[str | None, Meta(description="Set by Kubernetes.")] = None
    generation: Annotated[int | None, Meta(description="Set by Kubernetes.")] = None
    creation_timestamp: Annotated[str | None, Meta(description="Set by Kubernetes.")] = None
    deletion_timestamp: Annotated[str | None, Meta(description="Set by Kubernetes.")] = None
    finalizers: Annotated[list[Any] | None, Meta(description="Set by Kubernetes.")] = None
    managed_fields: Annotated[list[Any] | None, Meta(description="Set by Kubernetes.")] = None
    owner_references: Annotated[list[Any] | None, Meta(description="Set by Kubernetes.")] = None


class TargetRef(DocumentBlock, frozen=True, kw_only=True):
    """The workload whose pods are monitored, in a cluster."""

    api_version: Annotated[Name, Meta(description="API group and version, such as `apps/v1`.")]
    kind: Annotated[Name, Meta(description="Kind, such as `Deployment`.")]
    name: Annotated[Name, Meta(description="Name, in the monitor's namespace.")]


class Model(DocumentBlock, frozen=True, kw_only=True):
    """The monitored model, for servers with several models, and the version that runs."""

    name: Annotated[
        OneLine, Meta(description="Name of the model in the request path. Empty matches every model.", max_length=253)
    ] = ""
    version: Annotated[OneLine, Meta(description="Version that runs. It selects the profile.", max_length=63)] = ""


class Learn(DocumentBlock, frozen=True, kw_only=True):
    """Learns a profile from the first rows of the traffic. The rows are on disk until the profile exists."""

    rows: Annotated[int, Meta(description="Number of rows to learn from.", ge=1000, le=10**6)] = 20_000
    bytes: Annotated[Size, Meta(description="Maximum size on disk. When it is reached, the stored rows are used.")] = (
        256 * 1024 * 1024
    )
    mask: Annotated[
        tuple[Name, ...],
        Meta(description="Columns that are never written to disk and therefore not monitored.", max_length=1000),
    ] = ()
    missing_words: Annotated[
        tuple[Word, ...],
        Meta(description="Texts that mean missing, beside the default ones such as `NA` and `null`.", max_length=100),
    ] = ()
    keep_words: Annotated[
        tuple[Word, ...],
        Meta(description="Texts that are categories, although they mean missing by default.", max_length=100),
    ] = ()


class ProfileSource(DocumentBlock, frozen=True, kw_only=True):
    """The source of the profile of one model version: exactly one of path, configMap, url and learn."""

    version: Annotated[OneLine, Meta(description="Version of the model. Empty matches any version.", max_length=63)] = (
        ""
    )
    path: Annotated[
        Name | None, Meta(description="File (.json or .json.gz), relative to the folder of the document.")
    ] = None
    config_map: Annotated[Name | None, Meta(description="ConfigMap with `profile.json` or `profile.json.gz`.")] = None
    url: Annotated[Name | None, Meta(description="URL (https) of the profile.")] = None
    learn: Annotated[Learn | None, Meta(description="Learn the profile from the first rows of the traffic.")] = None


class FalseAlarms(DocumentBlock, frozen=True, kw_only=True):
    """The false-alarm budget: at most `count` in `per`, over all features, replicas and looks at the data."""

    count: Annotated[float, Meta(description="Maximum expected number of false alarms.", gt=0)] = 1.0
    per: Annotated[Duration, Meta(description="Period of the budget.")] = 30 * DAY


class FeatureDrift(DocumentBlock, frozen=True, kw_only=True):
    """Settings of one feature."""

    tolerance: Annotated[
        Tolerance | None, Meta(description="Tolerance of this feature, instead of the common one.")
    ] = None
    ignore: Annotated[bool, Meta(description="Exclude the feature from detection. It is still measured.")] = False


class PerformanceDrift(DocumentBlock, frozen=True, kw_only=True):
    """The tolerance for losses of labelled rows."""

    tolerance: Annotated[
        Tolerance,
        Meta(
            description="Harmless increase of the mean loss, which lies in [0, 1]. 0.005 is half a percentage point "
            "of accuracy."
        ),
    ] = 0.005


class StreamDetector(DocumentBlock, frozen=True, kw_only=True):
    """A River drift detector on one scalar stream. Its changes are shown and counted but raise no alarm."""

    type: Annotated[Name, Meta(description="`river.ADWIN`, `river.KSWIN` or `river.PageHinkley`.")]
    stream: Annotated[
        Name,
        Meta(
            description="One number for each tick, from the rows of that tick: `feature.NAME.MEASURE` or "
            "`prediction.NAME.MEASURE` (chi_square, jensen_shannon_distance, ks, missing_ratio, out_of_range_ratio, "
            "psi, unseen_ratio, wasserstein), "
            "`performance.realized`, `performance.estimated`."
        ),
    ]
    parameters: Annotated[dict[str, Any], Meta(description="Parameters of the detector, with River's names.")] = field(
        default_factory=dict
    )


class Drift(DocumentBlock, frozen=True, kw_only=True):
    """When a change of the data raises an alarm."""

    tick: Annotated[Duration, Meta(description="Time unit of detection. Evidence is updated once for each tick.")] = (
        60.0
    )
    false_alarms: Annotated[FalseAlarms, Meta(description="The false-alarm budget.")] = FalseAlarms()
    timezone: Annotated[
        Name,
        Meta(
            description="Time zone of a daily cycle, an IANA name such as `Europe/Berlin`. A learned profile compares "
            "the hours of this zone; a profile that was built has the zone of `profile build --timezone`."
        ),
    ] = "UTC"
    tolerance: Annotated[
        Tolerance,
        Meta(
            description="Harmless drift, in chi-square (about PSI) units: 0.0025 is about 0.05 standard deviations, "
            "0.01 about 0.1, 0.05 about 0.22.",
        ),
    ] = 0.0025
    features: Annotated[dict[str, FeatureDrift], Meta(description="Settings by feature name.")] = field(
        default_factory=dict
    )
    detectors: Annotated[
        tuple[StreamDetector, ...],
        Meta(description="River detectors to show beside the alarms. They need the extra `river`.", max_length=50),
    ] = ()
    performance: Annotated[PerformanceDrift, Meta(description="Losses of labelled rows.")] = PerformanceDrift()


class Feedback(DocumentBlock, frozen=True, kw_only=True):
    """Stored predictions that wait for their labels."""

    keep: Annotated[Duration, Meta(description="How long after an exchange a label can still be joined to it.")] = DAY
    max_rows: Annotated[
        int,
        Meta(
            description="Maximum number of stored predictions, about 100 bytes each. The oldest are dropped first. "
            "With 0, only labels that carry their prediction count.",
            ge=0,
            le=10**6,
        ),
    ] = 100_000


class ConcurrencySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="concurrency"):
    """Requests in flight for each replica."""

    target: Annotated[float, Meta(description="Desired number of requests in flight for each replica.", gt=0)]


class LatencySignal(DocumentBlock, frozen=True, kw_only=True, tag_field="type", tag="latency"):
    """Time to the last byte of the response."""

    target: Annotated[Duration, Meta(description="Target duration of the quantile.")]
    quantile: Annotated[float, Meta(description="Quantile to compare with the target.", gt=0, lt=1)] = 0.95


class Scaling(DocumentBlock, frozen=True, kw_only=True):
    """Scaling of the replicas by signals, in a cluster only."""

    max_replicas: Annotated[int, Meta(description="Maximum number of replicas.", ge=1)]
    min_replicas: Annotated[int, Meta(description="Minimum number of replicas.", ge=0)] = 1
    signals: Annotated[
        tuple[ConcurrencySignal | LatencySignal, ...],
        Meta(description="Each signal proposes a number of replicas. The largest applies."),
    ] = ()
    behavior: Annotated[dict[str, Any], Meta(description="`scaleUp` and `scaleDown` as in autoscaling/v2.")] = field(
        default_factory=dict
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


class Retrain(DocumentBlock, frozen=True, kw_only=True):
    """When and where a retraining is requested: at most once for each episode."""

    webhook: Annotated[Webhook, Meta(description="Receiver of the request.")]
    on: Annotated[
        tuple[Literal["drift", "performance"], ...],
        Meta(
            description="Alarms that request a retraining: `drift` (inputs, predictions and their relations), "
            "`performance` (the loss of labelled rows).",
            min_length=1,
        ),
    ] = ("drift",)
    cooldown: Annotated[Duration, Meta(description="Minimum time between two requests.")] = DAY
    mode: Annotated[Mode | None, Meta(description="Mode of this block, instead of the common one.")] = None


class Spec(DocumentBlock, frozen=True, kw_only=True):
    """All settings of the monitor."""

    mode: Annotated[
        Mode,
        Meta(
            description="`observe` measures and reports, `recommend` also records what it would do, `act` does it. "
            "`scaling`, `resources` and `retrain` can override it. Notifications are sent in every mode."
        ),
    ] = "recommend"
    target_ref: Annotated[TargetRef | None, Meta(description="The monitored workload, in a cluster.")] = None
    model: Annotated[Model, Meta(description="The monitored model.")] = Model()
    traffic: Annotated[Traffic, Meta(description="Observation of the traffic.")] = Traffic()
    profiles: Annotated[
        tuple[ProfileSource, ...],
        Meta(description="One profile for each version. Without a profile, only the traffic is measured."),
    ] = ()
    drift: Annotated[Drift, Meta(description="Drift detection.")] = Drift()
    feedback: Annotated[Feedback, Meta(description="Labels sent to `POST /v1/feedback`.")] = Feedback()
    scaling: Annotated[Scaling | None, Meta(description="Scaling of the replicas.")] = None
    resources: Annotated[Resources | None, Meta(description="Resizing of CPU and memory.")] = None
    retrain: Annotated[Retrain | None, Meta(description="Retraining.")] = None
    notify: Annotated[tuple[Notify, ...], Meta(description="Receivers of notifications.", max_length=20)] = ()


class ModelMonitor(DocumentBlock, frozen=True, kw_only=True):
    """One monitored model: the whole document."""

    api_version: Annotated[Literal["pilotfish.dev/v1alpha1"], Meta(description="Version of this format.")]
    kind: Annotated[Literal["ModelMonitor"], Meta(description="Kind of this document.")]
    metadata: Annotated[Metadata, Meta(description="Name of the monitor.")]
    spec: Annotated[Spec, Meta(description="The settings.")] = Spec()
    status: Annotated[
        dict[str, Any] | None, Meta(description="Written by the controller in a cluster, never read.")
    ] = None
