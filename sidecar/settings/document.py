"""The ModelMonitor document: every setting with its meaning, unit, default and bounds.

The same document is a file on a laptop and a custom resource in a cluster. `parse` and `load` read it once, at start,
into these frozen structs: durations are float seconds, sizes are int bytes, cores are float. Field names are camelCase
in the document. The JSON schema and docs/configuration.md show the descriptions below. Users' documents depend on every
name and default, so add settings but do not rename any.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, field

from .blocks import DAY, DnsName, DocumentBlock, Duration, Mode, Name, OneLine, Price, Size, Tolerance, Word
from .resources import Resources
from .retraining import Retrain
from .scaling import Scaling
from .traffic import Traffic
from .webhooks import Notify


class Metadata(DocumentBlock, frozen=True, kw_only=True, forbid_unknown_fields=False):
    """The name of the monitor, and the metadata that Pilotfish uses. It ignores all other metadata of Kubernetes."""

    name: Annotated[DnsName, Meta(description="Name of the monitor. Events, metrics and the report show it.")]
    namespace: Annotated[str | None, Meta(description="Namespace, in a cluster.")] = None
    labels: Annotated[dict[str, str] | None, Meta(description="Labels, as in Kubernetes.")] = None
    annotations: Annotated[dict[str, str] | None, Meta(description="Annotations, as in Kubernetes.")] = None
    uid: Annotated[str | None, Meta(description="Set by Kubernetes.")] = None
    generation: Annotated[int | None, Meta(description="Set by Kubernetes.")] = None


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
        Tolerance | None, Meta(description="Tolerance of this feature, instead of the common value.")
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
    features: Annotated[dict[str, FeatureDrift], Meta(description="Settings by feature name.", max_length=10_000)] = (
        field(default_factory=dict)
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


class Metrics(DocumentBlock, frozen=True, kw_only=True):
    """What `GET /metrics` exports."""

    features: Annotated[
        Literal["all", "drifted", "none"],
        Meta(
            description="Series of features: of `all`, of those that have `drifted` (they are part of an episode, or "
            "their evidence has reached the threshold), or of `none`. Detection and `/report` do not depend on it."
        ),
    ] = "all"
    details: Annotated[
        Literal["all", "drifted", "none"],
        Meta(
            description="Those of the features in `features` that also have intervals of PSI, Jensen-Shannon and "
            "Wasserstein, and their distribution: about 30 more series for each."
        ),
    ] = "drifted"


class Prices(DocumentBlock, frozen=True, kw_only=True):
    """What resources cost. Attributed use times its price is the cost of a route; see docs/cost.md."""

    gpu_hour: Annotated[Price, Meta(description="Price of one GPU for one hour.")] = 0.0
    cpu_hour: Annotated[Price, Meta(description="Price of one core for one hour of CPU time.")] = 0.0
    memory_gib_hour: Annotated[Price, Meta(description="Price of one GiB of memory for one hour.")] = field(
        default=0.0, name="memoryGiBHour"
    )
    kwh: Annotated[Price, Meta(description="Price of one kilowatt hour of the GPUs.")] = field(default=0.0, name="kWh")
    currency: Annotated[OneLine, Meta(description="Currency, for the report.", max_length=12)] = ""


class AttributionSettings(DocumentBlock, frozen=True, kw_only=True):
    """How use is shared out to routes; see docs/cost.md."""

    rule: Annotated[
        Literal["auto", "inFlight", "rows", "tokens"],
        Meta(
            description="`inFlight` shares use out by in-flight time. `tokens` does so for the routes of language "
            "models together, and between them by tokens; `rows` is the same with decoded rows. `auto` is `tokens` "
            "within each model version, else `inFlight`."
        ),
    ] = "auto"
    completion_weight: Annotated[
        Annotated[float, Meta(gt=0, le=1000)] | None,
        Meta(description="Cost of a completion token, in prompt tokens. Without it, it is estimated from durations."),
    ] = None


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
        Meta(
            description="One profile for each version. Without a profile, only the traffic is measured.", max_length=100
        ),
    ] = ()
    drift: Annotated[Drift, Meta(description="Drift detection.")] = Drift()
    metrics: Annotated[Metrics, Meta(description="What `GET /metrics` exports.")] = Metrics()
    feedback: Annotated[Feedback, Meta(description="Labels sent to `POST /v1/feedback`.")] = Feedback()
    scaling: Annotated[Scaling | None, Meta(description="Scaling of the replicas.")] = None
    resources: Annotated[Resources | None, Meta(description="Resizing of CPU and memory.")] = None
    retrain: Annotated[Retrain | None, Meta(description="Retraining.")] = None
    prices: Annotated[Prices | None, Meta(description="Prices, for the cost of predictions.")] = None
    attribution: Annotated[
        AttributionSettings, Meta(description="How the use of the model server is shared out to routes.")
    ] = AttributionSettings()
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
