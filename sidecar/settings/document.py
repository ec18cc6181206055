"""The ModelMonitor document: what a person may set, with meaning, unit, default and bounds beside each other.

The same document is a file on a laptop and a custom resource in a cluster. It is parsed once, at the edge (`parse`,
`load`), into these frozen structs: durations are float seconds, sizes int bytes, cores float. Field names are camelCase
in the document. Descriptions below are the ones that `docs/configuration.md` and the JSON schema show.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

API_VERSION = "pilotfish.dev/v1alpha1"
KIND = "ModelMonitor"
DAY = 86400.0

Mode = Literal["observe", "recommend", "act"]


def _unit(name: str) -> Meta:
    return Meta(extra={"unit": name})


Cores = Annotated[float, _unit("cores")]
Duration = Annotated[float, _unit("duration")]
Size = Annotated[int, _unit("size")]
Tolerance = Annotated[float, Meta(ge=0, le=1)]
DnsName = Annotated[str, Meta(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)]
Name = Annotated[str, Meta(min_length=1, max_length=253)]
OneLine = Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]*$")]
PathTemplate = Annotated[str, Meta(pattern=r"^/[!-~]*$", max_length=128)]


class _Block(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """One object of the document."""


class Metadata(_Block, frozen=True, kw_only=True):
    """Names the monitor; the rest is what Kubernetes keeps there and Pilotfish does not read."""

    name: Annotated[DnsName, Meta(description="The monitor's name: it stands in events, metrics and the report.")]
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


class TargetRef(_Block, frozen=True, kw_only=True):
    """The workload whose pods are watched, in a cluster."""

    api_version: Annotated[Name, Meta(description="API group and version, such as `apps/v1`.")]
    kind: Annotated[Name, Meta(description="Kind, such as `Deployment`.")]
    name: Annotated[Name, Meta(description="Name, in the monitor's namespace.")]


class Model(_Block, frozen=True, kw_only=True):
    """Which model is meant where a server has several, and which version runs."""

    name: Annotated[
        OneLine, Meta(description="Name in the request's path; empty takes every model.", max_length=253)
    ] = ""
    version: Annotated[OneLine, Meta(description="Version that runs; it chooses the profile.", max_length=63)] = ""


class KeepRows(_Block, frozen=True, kw_only=True):
    """The newest rows, kept on disk in the state folder for reports on rows; off unless this block stands."""

    rows: Annotated[int, Meta(description="Newest rows that are kept.", ge=100, le=10**6)]
    bytes: Annotated[Size, Meta(description="Bytes on disk at most; the oldest rows make room.")] = 64 * 1024 * 1024
    mask: Annotated[tuple[Name, ...], Meta(description="Columns that are never written.", max_length=1000)] = ()


class Traffic(_Block, frozen=True, kw_only=True):
    """What of the traffic is looked at."""

    ports: Annotated[
        tuple[str | int, ...], Meta(description="Names or numbers of the container's ports to watch, in a cluster.")
    ] = ()
    protocol: Annotated[
        Literal["auto", "mlflow", "oip", "v1"],
        Meta(
            description="Protocol of requests and responses: `oip` (Open Inference Protocol v2), `v1` (KServe v1, "
            "TensorFlow Serving), `mlflow` (data frames, and the forms of `v1`); `auto` tells them apart by path and "
            "body."
        ),
    ] = "auto"
    max_records_per_second: Annotated[
        int,
        Meta(description="Exchanges a second at most that are looked at; others are only counted.", ge=0, le=10**6),
    ] = 2000
    body_limit: Annotated[
        Size, Meta(description="Bytes of one body at most; exchanges with longer ones are counted, not decoded.")
    ] = 1024 * 1024
    routes: Annotated[
        tuple[PathTemplate, ...],
        Meta(
            description="Path templates of your own, such as `/score/{name}`, tried first.",
            max_length=30,
        ),
    ] = ()
    probes: Annotated[
        tuple[PathTemplate, ...],
        Meta(description="Paths counted as probes, beside those of the kubelet.", max_length=30),
    ] = ()
    keep_rows: Annotated[
        KeepRows | None, Meta(description="Keep the newest rows on disk, for reports on rows; off without this block.")
    ] = None


class Learn(_Block, frozen=True, kw_only=True):
    """A profile out of the first rows of the traffic, which are on disk, in the state folder, until it is made."""

    rows: Annotated[int, Meta(description="Rows that are learnt from.", ge=1000, le=10**6)] = 20_000
    bytes: Annotated[
        Size, Meta(description="Bytes on disk at most; when they are full, the rows there are will do.")
    ] = 256 * 1024 * 1024
    mask: Annotated[
        tuple[Name, ...], Meta(description="Columns that are never written, and so not watched.", max_length=1000)
    ] = ()


class ProfileSource(_Block, frozen=True, kw_only=True):
    """Where the profile of one version of the model is; exactly one of path, configMap, url and learn."""

    version: Annotated[OneLine, Meta(description="Version of the model; empty fits any.", max_length=63)] = ""
    path: Annotated[Name | None, Meta(description="File (.json or .json.gz), relative to the document's folder.")] = (
        None
    )
    config_map: Annotated[Name | None, Meta(description="ConfigMap with `profile.json` or `profile.json.gz`.")] = None
    url: Annotated[Name | None, Meta(description="Address (https) to fetch it from.")] = None
    learn: Annotated[Learn | None, Meta(description="Learn it from the first rows of the traffic.")] = None


class FalseAlarms(_Block, frozen=True, kw_only=True):
    """The promise: at most `count` false alarms in `per`, over all features, all replicas and all looks."""

    count: Annotated[float, Meta(description="Expected number of false alarms at most.", gt=0)] = 1.0
    per: Annotated[Duration, Meta(description="The time for which `count` holds.")] = 30 * DAY


class FeatureDrift(_Block, frozen=True, kw_only=True):
    """What differs for one feature."""

    tolerance: Annotated[Tolerance | None, Meta(description="Tolerance instead of the common one.")] = None
    ignore: Annotated[bool, Meta(description="Leave the feature out of detection; it is still measured.")] = False


class PerformanceDrift(_Block, frozen=True, kw_only=True):
    """What counts as harm, once labels come."""

    tolerance: Annotated[
        Tolerance,
        Meta(description="Harmless growth of the mean loss, which lies in [0, 1]: 0.005 is half a point of accuracy."),
    ] = 0.005


class StreamDetector(_Block, frozen=True, kw_only=True):
    """A drift detector of River on one scalar stream: shown and counted; it has no budget, and raises no alarm."""

    type: Annotated[Name, Meta(description="`river.ADWIN`, `river.KSWIN` or `river.PageHinkley`.")]
    stream: Annotated[
        Name,
        Meta(
            description="One number a tick, of that tick's rows: `feature.NAME.MEASURE` or `prediction.NAME.MEASURE` "
            "(chi_square, jensen_shannon, ks, missing_ratio, out_of_range_ratio, psi, unseen_ratio, wasserstein), "
            "`performance.realized`, `performance.estimated`."
        ),
    ]
    parameters: Annotated[dict[str, Any], Meta(description="The detector's own parameters, as River names them.")] = {}


class Drift(_Block, frozen=True, kw_only=True):
    """When a change of the data is an alarm."""

    tick: Annotated[Duration, Meta(description="Unit of time of detection: evidence is updated once a tick.")] = 60.0
    false_alarms: Annotated[FalseAlarms, Meta(description="The budget of false alarms.")] = FalseAlarms()
    tolerance: Annotated[
        Tolerance,
        Meta(
            description="Harmless drift, in chi-square (about PSI) units: 0.0025 is about 0.05 standard deviations, "
            "0.01 about 0.1, 0.05 about 0.22.",
        ),
    ] = 0.0025
    features: Annotated[dict[str, FeatureDrift], Meta(description="Exceptions by feature name.")] = {}
    detectors: Annotated[
        tuple[StreamDetector, ...],
        Meta(
            description="River's detectors, to look at beside the alarms; they need the extra `river`.", max_length=50
        ),
    ] = ()
    performance: Annotated[PerformanceDrift, Meta(description="Losses of labelled rows.")] = PerformanceDrift()


class Feedback(_Block, frozen=True, kw_only=True):
    """Predictions that wait for their labels."""

    keep: Annotated[Duration, Meta(description="How long after an exchange a label is still joined to it.")] = DAY
    max_rows: Annotated[
        int,
        Meta(
            description="Predicted rows at most that are kept for their labels, about 100 bytes each; the oldest make "
            "room. 0 keeps none: then only labels that bring their prediction count.",
            ge=0,
            le=10**6,
        ),
    ] = 100_000


class ConcurrencySignal(_Block, frozen=True, kw_only=True, tag_field="type", tag="concurrency"):
    """Requests in flight a replica."""

    target: Annotated[float, Meta(description="Requests in flight that a replica should have.", gt=0)]


class LatencySignal(_Block, frozen=True, kw_only=True, tag_field="type", tag="latency"):
    """Time to the last byte."""

    target: Annotated[Duration, Meta(description="Duration that the quantile should not exceed.")]
    quantile: Annotated[float, Meta(description="Quantile that is held to the target.", gt=0, lt=1)] = 0.95


class Scaling(_Block, frozen=True, kw_only=True):
    """Replicas, by signals; acts in a cluster only."""

    max_replicas: Annotated[int, Meta(description="Replicas at most.", ge=1)]
    min_replicas: Annotated[int, Meta(description="Replicas at least.", ge=0)] = 1
    signals: Annotated[
        tuple[ConcurrencySignal | LatencySignal, ...], Meta(description="Each asks for replicas; the largest wins.")
    ] = ()
    behavior: Annotated[dict[str, Any], Meta(description="`scaleUp` and `scaleDown` as in autoscaling/v2.")] = {}
    mode: Annotated[Mode | None, Meta(description="Mode of this block instead of the common one.")] = None


class CpuRange(_Block, frozen=True, kw_only=True):
    """Bounds of the CPU request."""

    min: Annotated[Cores, Meta(description="Cores at least.")]
    max: Annotated[Cores, Meta(description="Cores at most.")]


class MemoryRange(_Block, frozen=True, kw_only=True):
    """Bounds of the memory request."""

    min: Annotated[Size, Meta(description="Bytes at least.")]
    max: Annotated[Size, Meta(description="Bytes at most.")]


class Resources(_Block, frozen=True, kw_only=True):
    """CPU and memory of one container, resized in place; acts in a cluster only."""

    container: Annotated[Name, Meta(description="Name of the container.")]
    method: Annotated[Literal["inPlace"], Meta(description="How a change is made.")] = "inPlace"
    cpu: Annotated[CpuRange | None, Meta(description="Bounds of the CPU request.")] = None
    memory: Annotated[MemoryRange | None, Meta(description="Bounds of the memory request.")] = None
    mode: Annotated[Mode | None, Meta(description="Mode of this block instead of the common one.")] = None


class SecretRef(_Block, frozen=True, kw_only=True):
    """A key of a Kubernetes Secret."""

    name: Annotated[Name, Meta(description="Name of the Secret.")]
    key: Annotated[Name, Meta(description="Key in it.")] = "key"


class Webhook(_Block, frozen=True, kw_only=True):
    """Where a retraining is asked for."""

    url: Annotated[Name, Meta(description="Address that takes the CloudEvent by POST.")]
    secret_ref: Annotated[SecretRef | None, Meta(description="Secret that signs the event, in a cluster.")] = None
    secret_file: Annotated[
        Name | None, Meta(description="File with the secret that signs the event, relative to the document's folder.")
    ] = None
    timeout: Annotated[Duration, Meta(description="Time that one delivery may take.")] = 10.0


class Retrain(_Block, frozen=True, kw_only=True):
    """When and where a retraining is asked for: once an episode."""

    webhook: Annotated[Webhook, Meta(description="Receiver of the request.")]
    on: Annotated[
        tuple[Literal["drift", "performance"], ...],
        Meta(
            description="Alarms that ask for it: `drift` (inputs, predictions, how they hang together), "
            "`performance` (the loss of labelled rows).",
            min_length=1,
        ),
    ] = ("drift",)
    cooldown: Annotated[Duration, Meta(description="Time after a request before the next one.")] = DAY
    mode: Annotated[Mode | None, Meta(description="Mode of this block instead of the common one.")] = None


class Spec(_Block, frozen=True, kw_only=True):
    """Everything that may be set."""

    mode: Annotated[
        Mode,
        Meta(
            description="`observe` measures and reports, `recommend` also records what it would do, `act` does it. "
            "`scaling`, `resources` and `retrain` may each override it."
        ),
    ] = "recommend"
    target_ref: Annotated[TargetRef | None, Meta(description="The watched workload, in a cluster.")] = None
    model: Annotated[Model, Meta(description="The watched model.")] = Model()
    traffic: Annotated[Traffic, Meta(description="What is looked at.")] = Traffic()
    profiles: Annotated[
        tuple[ProfileSource, ...],
        Meta(description="One profile a version; without any, the traffic alone is measured."),
    ] = ()
    drift: Annotated[Drift, Meta(description="Detection.")] = Drift()
    feedback: Annotated[Feedback, Meta(description="Labels that come to `POST /v1/feedback`.")] = Feedback()
    scaling: Annotated[Scaling | None, Meta(description="Replicas.")] = None
    resources: Annotated[Resources | None, Meta(description="CPU and memory.")] = None
    retrain: Annotated[Retrain | None, Meta(description="Retraining.")] = None


class ModelMonitor(_Block, frozen=True, kw_only=True):
    """One monitored model: the whole document."""

    api_version: Annotated[Literal["pilotfish.dev/v1alpha1"], Meta(description="Version of this format.")]
    kind: Annotated[Literal["ModelMonitor"], Meta(description="Kind of this document.")]
    metadata: Annotated[Metadata, Meta(description="The monitor's name.")]
    spec: Annotated[Spec, Meta(description="The settings.")] = Spec()
    status: Annotated[dict[str, Any] | None, Meta(description="Written in a cluster, never read.")] = None
