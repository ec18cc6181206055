"""The metrics that exist only in a cluster: those of a pod about its controller, and those of the controller.

It continues the table of `names.py`. Label sets are bounded: namespace and monitor are those of existing ModelMonitors.
"""

from __future__ import annotations

from .metric import Metric

SYNC, FLEET, INJECTOR = "A pod and its controller", "The controller", "The injector"
CERTIFICATES = "Controller and injector"
_MONITOR = ("namespace", "monitor")

SYNC_INFO = Metric(
    "pilotfish_sync_info",
    "gauge",
    "1 for the ModelMonitor that the pod follows; empty without one.",
    SYNC,
    ("monitor",),
)
SYNC_SUCCESS = Metric(
    "pilotfish_sync_last_success_timestamp_seconds",
    "gauge",
    "Time of the last request that the controller answered with success, in epoch seconds; 0 before the first.",
    SYNC,
    (),
    "seconds",
)
SYNC_UNACKNOWLEDGED = Metric(
    "pilotfish_sync_unacknowledged_ticks", "gauge", "Closed ticks that the controller has not stored yet.", SYNC
)
SYNC_OLDEST_AGE = Metric(
    "pilotfish_sync_oldest_unacknowledged_seconds",
    "gauge",
    "Seconds since the end of the oldest tick that the controller has not stored yet; 0 without one.",
    SYNC,
    (),
    "seconds",
)
SYNC_DROPPED = Metric(
    "pilotfish_sync_dropped_ticks_total",
    "counter",
    "Ticks that the pod dropped before the controller stored them, because they were too old or too many.",
    SYNC,
)
SYNC_REQUESTS = Metric(
    "pilotfish_sync_requests_total",
    "counter",
    "Requests with counts to the controller by outcome: ok, refused (by its status), failed (without a response).",
    SYNC,
    ("outcome",),
)

LEADER = Metric("pilotfish_control_leader", "gauge", "1 in the replica that leads, else 0.", FLEET)
PODS = Metric(
    "pilotfish_pods",
    "gauge",
    "Pods of a monitor. State expected: they should report. State heard: they reported lately.",
    FLEET,
    (*_MONITOR, "state"),
)
SIDECARS = Metric(
    "pilotfish_sidecars",
    "gauge",
    "Pods with a sidecar by its release; empty for sidecars that were written into a pod by hand.",
    FLEET,
    ("release",),
)
SIDECARS_OUTDATED = Metric(
    "pilotfish_sidecars_outdated",
    "gauge",
    "Pods whose injected sidecar is of another release than the controller; a rollout brings the new one.",
    FLEET,
)
HOLDING = Metric(
    "pilotfish_fleet_holding", "gauge", "1 while ticks wait, with the reason.", FLEET, (*_MONITOR, "reason")
)
DROPPED_TICKS = Metric(
    "pilotfish_fleet_dropped_ticks_total",
    "counter",
    "Ticks that were closed without their rows, because too few pods were heard.",
    FLEET,
    _MONITOR,
)
REFUSED_REPORTS = Metric(
    "pilotfish_fleet_refused_reports_total",
    "counter",
    "Reports of pods about one tick that were not counted, by reason, such as late: its tick was closed already.",
    FLEET,
    (*_MONITOR, "reason"),
)
CHECKPOINT_BYTES = Metric(
    "pilotfish_checkpoint_bytes", "gauge", "Size of the last checkpoint of a monitor.", FLEET, _MONITOR, "bytes"
)
CONTROL_REQUESTS = Metric(
    "pilotfish_control_http_requests_total",
    "counter",
    "Requests to the controller by path, outcome and reason. Namespace and monitor are empty if they are not known.",
    FLEET,
    (*_MONITOR, "path", "outcome", "reason"),
)
CONTROL_LABELS = Metric(
    "pilotfish_control_feedback_total",
    "counter",
    "Labels sent to the controller, by outcome: joined, direct, late, duplicate, unknown, lost, invalid.",
    FLEET,
    (*_MONITOR, "outcome"),
)
CONTROL_CONNECTIONS = Metric(
    "pilotfish_control_connections_open", "gauge", "Open connections to the address for pods.", FLEET
)
REVIEWS = Metric(
    "pilotfish_control_reviews_total",
    "counter",
    "Reviews of callers by kind (token, access) and outcome: allowed, denied, cached, failed, or stale: an expired "
    "result that was used because the API server did not answer.",
    FLEET,
    ("kind", "outcome"),
)
REVIEWS_CACHED = Metric(
    "pilotfish_control_reviews_cached", "gauge", "Reviews of callers in memory, by kind.", FLEET, ("kind",)
)
API_ERRORS = Metric(
    "pilotfish_kube_errors_total",
    "counter",
    "Failed requests to the API server, by verb and reason.",
    FLEET,
    ("verb", "reason"),
)
API_CONTACT_AGE = Metric(
    "pilotfish_kube_contact_age_seconds",
    "gauge",
    "Seconds since the API server was last heard.",
    FLEET,
    (),
    "seconds",
)

INJECTOR_READY = Metric(
    "pilotfish_injector_ready", "gauge", "1 while the injector has read all that a decision needs, else 0.", INJECTOR
)
INJECTIONS = Metric(
    "pilotfish_injections_total",
    "counter",
    "Pods by mode (port, move, redirect, none) and reason (docs/reasons.md). Dry runs are not counted.",
    INJECTOR,
    ("mode", "reason"),
)
SIZED_PODS = Metric(
    "pilotfish_sized_pods_total",
    "counter",
    "New pods of monitors that resize in place, by outcome: sized with the recommended resources, kept as the template "
    "has them; and by reason (docs/injection.md).",
    INJECTOR,
    ("outcome", "reason"),
)
REVIEW_OUTCOMES = Metric(
    "pilotfish_admission_reviews_total",
    "counter",
    "Reviews by outcome: answered; failed: the injector failed, and the pod was admitted as it is, or refused with "
    "--fail-closed; invalid: the request was not an AdmissionReview.",
    INJECTOR,
    ("outcome",),
)
REVIEW_SECONDS = Metric(
    "pilotfish_admission_review_seconds",
    "histogram",
    "Time from the head of a review's request to its answer.",
    INJECTOR,
    (),
    "seconds",
)
MIRROR_OBJECTS = Metric(
    "pilotfish_mirror_objects", "gauge", "Objects of the API server in memory, by kind.", INJECTOR, ("kind",)
)
MIRROR_AGE = Metric(
    "pilotfish_mirror_age_seconds",
    "gauge",
    "Seconds since the API server last sent something about a kind. It sends a bookmark each minute.",
    INJECTOR,
    ("kind",),
    "seconds",
)
BUNDLE_REPAIRS = Metric(
    "pilotfish_ca_repairs_total",
    "counter",
    "Writes of the bundle of certificates after others had changed it, by object: webhook (caBundle), configmap.",
    INJECTOR,
    ("object",),
)
BUNDLE_OUTDATED = Metric(
    "pilotfish_ca_outdated",
    "gauge",
    "Objects whose bundle of certificates is not the present one, by object: webhook, configmap.",
    INJECTOR,
    ("object",),
)

CERTIFICATE_EXPIRY = Metric(
    "pilotfish_certificate_expiry_timestamp_seconds",
    "gauge",
    "When a certificate expires, in epoch seconds. Name authority: the newest one that clients trust. Name serving: "
    "that of the own server. The self-managed ones are renewed after two thirds of their life.",
    CERTIFICATES,
    ("name",),
    "seconds",
)

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
