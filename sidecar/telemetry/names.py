"""The table of all metrics: name, type, unit, labels and help.

`feature_names.py` continues it with the metrics of features, `cluster_names.py` with those that exist only in a
cluster, `gpu_names.py` and `resource_names.py` with those of GPUs and resources. No other module writes a name.

`make generate` writes `docs/metrics.md` from this table. Names follow Prometheus: base units, and `_total` on counters.
Every label set is bounded: routes by the slots of the counter page, models by the analyzer, features by the profile.
"""

from __future__ import annotations

from . import cluster_names, feature_names, gpu_names, node_names, resize_names, resource_names, scaling_names
from .metric import Metric

TRAFFIC, ACCOUNT, LABELS = "Traffic", "Accounting", "Labels and performance"
DRIFT = feature_names.DRIFT
CONTROL, OWN = "Retraining", "Pilotfish itself"
_ROUTE = ("route",)
_FAMILY = ("model", "family")

REQUESTS = Metric(
    "pilotfish_requests_total",
    "counter",
    "Exchanges by route and status class. Code none means that no response began.",
    TRAFFIC,
    ("route", "code"),
)
DURATION = Metric(
    "pilotfish_request_duration_seconds",
    "histogram",
    "Time from the first byte of a request to the last byte of its response.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
FIRST_BYTE = Metric(
    "pilotfish_time_to_first_byte_seconds",
    "histogram",
    "Time from the first byte of a request to the first byte of its response.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
FIRST_EVENT = Metric(
    "pilotfish_time_to_first_event_seconds",
    "histogram",
    "Time from the first byte of a request to the first event of its response stream.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
EVENT_GAP = Metric(
    "pilotfish_event_gap_seconds",
    "histogram",
    "Time between two events of one stream.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
IN_FLIGHT = Metric("pilotfish_requests_in_flight", "gauge", "Exchanges in progress.", TRAFFIC, _ROUTE)
REQUEST_BYTES = Metric("pilotfish_request_bytes_total", "counter", "Bytes of request bodies.", TRAFFIC, _ROUTE, "bytes")
RESPONSE_BYTES = Metric(
    "pilotfish_response_bytes_total", "counter", "Bytes of response bodies.", TRAFFIC, _ROUTE, "bytes"
)
CONNECTIONS = Metric(
    "pilotfish_connections_total",
    "counter",
    "Client connections by event: accepted, ended, reset, opaque, refused (limit, upstream, descriptors: also "
    "tries to accept that failed), and failed attempts to connect to the model server (connect_failures).",
    TRAFFIC,
    ("event",),
)
CONNECTIONS_OPEN = Metric(
    "pilotfish_connections_open",
    "gauge",
    "Open client connections. Kind all includes kind opaque.",
    TRAFFIC,
    ("kind",),
)
OPAQUE_BYTES = Metric(
    "pilotfish_opaque_bytes_total",
    "counter",
    "Bytes relayed on connections that are not parsed. Direction in means towards the model.",
    TRAFFIC,
    ("direction",),
    "bytes",
)
DOWNGRADES = Metric(
    "pilotfish_downgrades_total",
    "counter",
    "Connections that are relayed but no longer parsed, by reason.",
    TRAFFIC,
    ("reason",),
)
UPSTREAMS_UNREACHABLE = Metric(
    "pilotfish_upstreams_unreachable",
    "gauge",
    "Upstreams (model servers, one per listener) that the proxy could not connect to at its last attempt.",
    TRAFFIC,
)
CAPTURED_BYTES = Metric(
    "pilotfish_captured_bytes", "gauge", "Memory of the proxy that captured bodies hold.", TRAFFIC, (), "bytes"
)
READER_CONNECTED = Metric(
    "pilotfish_reader_connected",
    "gauge",
    "1 while the proxy is connected to the analyzer. Otherwise, exchanges are dropped with reason no_reader.",
    TRAFFIC,
)
PROXY_UP = Metric(
    "pilotfish_proxy_up",
    "gauge",
    "1 while the proxy's counter page is readable and its heartbeat is recent, else 0.",
    TRAFFIC,
)
MODEL_INFO = Metric(
    "pilotfish_model_info", "gauge", "1 for the monitored model and version.", TRAFFIC, ("model", "version")
)
PROXY_START = Metric(
    "pilotfish_proxy_start_time_seconds", "gauge", "Start time of the proxy, in epoch seconds.", TRAFFIC, (), "seconds"
)

SEEN = Metric("pilotfish_exchanges_seen_total", "counter", "Completed exchanges that the proxy has seen.", ACCOUNT)
EXCHANGES = Metric(
    "pilotfish_exchanges_total",
    "counter",
    "Exchanges by outcome (fate) and reason. Together with the queued ones they add up to those seen.",
    ACCOUNT,
    ("fate", "reason"),
)
PREDICTIONS_UNREAD = Metric(
    "pilotfish_predictions_unread_total",
    "counter",
    "Measured exchanges whose response could not be decoded, by reason (docs/protocols.md).",
    ACCOUNT,
    ("reason",),
)
QUEUED = Metric(
    "pilotfish_exchanges_queued", "gauge", "Exchanges on the way from the proxy to the analyzer; 0 at rest.", ACCOUNT
)
ROWS = Metric(
    "pilotfish_rows_total", "counter", "Decoded rows. Side is input or prediction.", ACCOUNT, ("model", "side")
)
LATE_ROWS = Metric(
    "pilotfish_late_rows_total",
    "counter",
    "Rows that arrived after their tick had closed. They count in the open tick.",
    ACCOUNT,
)

TYPE_MISMATCHES = Metric(
    "pilotfish_type_mismatches_total",
    "counter",
    "Values whose type differs from the type of their feature, since the profile came into force.",
    DRIFT,
    ("model",),
)
FINDINGS = Metric(
    "pilotfish_data_quality_findings_total",
    "counter",
    "Data-quality findings when they begin: constant, missing, new or renamed columns, repeated rows, changed types.",
    DRIFT,
    ("model", "kind"),
)
FINDINGS_OPEN = Metric(
    "pilotfish_data_quality_findings_open",
    "gauge",
    "Open data-quality findings about the recent rows, by kind.",
    DRIFT,
    ("model", "kind"),
)
EVIDENCE = Metric(
    "pilotfish_drift_evidence_ratio",
    "gauge",
    "Evidence of drift of a family, divided by the threshold from the false-alarm budget. 1 raises an alarm.",
    DRIFT,
    _FAMILY,
    "ratio",
)
ALARMS = Metric(
    "pilotfish_drift_alarms_total", "counter", "Alarms by family. Alarms with part_of are not counted.", DRIFT, _FAMILY
)
EPISODES_OPEN = Metric("pilotfish_episodes_open", "gauge", "Open drift episodes.", DRIFT, ("model",))
TICKS = Metric("pilotfish_ticks_total", "counter", "Closed ticks that had rows.", DRIFT)
PROFILE_INFO = Metric(
    "pilotfish_profile_info", "gauge", "1 for the profile in force.", DRIFT, ("model", "version", "hash")
)
PROFILE_ROWS = Metric("pilotfish_profile_rows", "gauge", "Reference rows of the profile in force.", DRIFT, ("model",))

LEARNING_ROWS = Metric(
    "pilotfish_learning_rows",
    "gauge",
    "Rows stored while a profile is learned. Kind wanted is the number of rows needed.",
    DRIFT,
    ("model", "kind"),
)
LEARNING_TRIES = Metric(
    "pilotfish_learning_tries",
    "gauge",
    "Trials of a learned profile. State gave_up means that no collected rows were stable.",
    DRIFT,
    ("model", "state"),
)
STREAM_VALUE = Metric(
    "pilotfish_stream_value",
    "gauge",
    "Last value of a stream that a River detector reads.",
    DRIFT,
    ("model", "stream"),
)
STREAM_CHANGES = Metric(
    "pilotfish_stream_changes_total",
    "counter",
    "Changes reported by River detectors. Budget none means that their false-alarm rate is unknown.",
    DRIFT,
    ("model", "detector", "stream", "budget"),
)
KEPT_ROWS = Metric("pilotfish_kept_rows", "gauge", "Rows of traffic stored on disk.", ACCOUNT, ("store",))
KEPT_BYTES = Metric(
    "pilotfish_kept_rows_bytes", "gauge", "Disk space of the stored rows, in bytes.", ACCOUNT, ("store",), "bytes"
)
UNKEPT_ROWS = Metric(
    "pilotfish_rows_not_kept_total",
    "counter",
    "Rows that could not be stored on disk: no space, or values that cannot be written.",
    ACCOUNT,
    ("store",),
)

FEEDBACK = Metric(
    "pilotfish_feedback_total",
    "counter",
    "Labels by outcome: joined, direct, late, duplicate, unknown, invalid.",
    LABELS,
    ("outcome",),
)
LABELS_UNUSED = Metric(
    "pilotfish_feedback_unused_total",
    "counter",
    "Accepted labels that led to no loss, by reason (docs/feedback.md).",
    LABELS,
    ("reason",),
)
FEEDBACK_PENDING = Metric(
    "pilotfish_feedback_pending_rows", "gauge", "Stored predictions that have no label yet.", LABELS
)
FEEDBACK_LAG = Metric(
    "pilotfish_feedback_lag_seconds",
    "histogram",
    "Time from an exchange to the label of its row.",
    LABELS,
    (),
    "seconds",
)
FEEDBACK_COVERAGE = Metric(
    "pilotfish_feedback_coverage_ratio",
    "gauge",
    "Share of the stored predictions that have a label.",
    LABELS,
    (),
    "ratio",
)
REQUEST_ID_RATIO = Metric(
    "pilotfish_request_id_ratio", "gauge", "Share of measured exchanges that carry a request id.", LABELS, (), "ratio"
)
REUSED_IDS = Metric(
    "pilotfish_request_ids_reused_total",
    "counter",
    "Exchanges that repeat an earlier request id. Their labels join the earlier exchange.",
    LABELS,
)
MODEL_LOSS = Metric(
    "pilotfish_model_loss",
    "gauge",
    "Mean loss: kind reference, realized (labelled rows) or estimated (without labels), the last two of recent ticks.",
    LABELS,
    ("model", "kind"),
)

INTENTS = Metric(
    "pilotfish_intents_total",
    "counter",
    "Intents by kind, outcome and reason (docs/reasons.md).",
    CONTROL,
    ("kind", "outcome", "reason"),
)
OUTBOX = Metric("pilotfish_outbox_entries", "gauge", "Outbox entries, pending or dead (given up).", CONTROL, ("state",))
OUTBOX_WAITING = Metric(
    "pilotfish_outbox_waiting",
    "gauge",
    "Outbox entries that wait for this receiver: its name, or its URL without the path.",
    CONTROL,
    ("kind", "receiver"),
)
OUTBOX_UNSAVED = Metric("pilotfish_outbox_unsaved", "gauge", "Outbox changes that are not on disk yet.", CONTROL)
OUTBOX_DAMAGED = Metric("pilotfish_outbox_damaged_lines", "gauge", "Damaged outbox lines that were skipped.", CONTROL)

INFO = Metric("pilotfish_build_info", "gauge", "Always 1; the label carries the version.", OWN, ("version",))
BLIND = Metric(
    "pilotfish_blind",
    "gauge",
    "1 while a part of the traffic is not measured for this reason (docs/blind-spots.md), else 0.",
    OWN,
    ("reason",),
)
WARNINGS = Metric(
    "pilotfish_warnings",
    "gauge",
    "Warnings of GET /report that are not blind spots, such as a changed document that cannot be used, or a full disk.",
    OWN,
)
READY = Metric(
    "pilotfish_ready", "gauge", "1 while the traffic is measured, at least in part, as in GET /readyz, else 0.", OWN
)
CHECKPOINT_TIME = Metric(
    "pilotfish_checkpoint_timestamp_seconds",
    "gauge",
    "Time of the last checkpoint, in epoch seconds.",
    OWN,
    (),
    "seconds",
)
CHECKPOINT_AGE = Metric(
    "pilotfish_checkpoint_age_seconds",
    "gauge",
    "Seconds since the last checkpoint. It grows without traffic, because nothing has to be written.",
    OWN,
    (),
    "seconds",
)
CHECKPOINT_FAILURES = Metric(
    "pilotfish_checkpoint_failures_total", "counter", "Checkpoints that could not be written.", OWN
)
MEMORY_LIMIT = Metric(
    "pilotfish_memory_limit_bytes",
    "gauge",
    "Memory limit of the analyzer. It restarts itself at 85 % of this limit.",
    OWN,
    (),
    "bytes",
)
MEMORY_DATA = Metric(
    "pilotfish_memory_data_bytes", "gauge", "Memory of the analyzer that counts towards the limit.", OWN, (), "bytes"
)
CPU = Metric("process_cpu_seconds_total", "counter", "User and system CPU time of the analyzer.", OWN, (), "seconds")
RESIDENT = Metric("process_resident_memory_bytes", "gauge", "Resident memory of the analyzer.", OWN, (), "bytes")
VIRTUAL = Metric("process_virtual_memory_bytes", "gauge", "Virtual memory of the analyzer.", OWN, (), "bytes")
START = Metric("process_start_time_seconds", "gauge", "Start of the analyzer, in epoch seconds.", OWN, (), "seconds")
OPEN_FDS = Metric("process_open_fds", "gauge", "Open file descriptors of the analyzer.", OWN)
MAX_FDS = Metric("process_max_fds", "gauge", "Limit of open file descriptors of the analyzer.", OWN)

METRICS = (
    *(value for value in tuple(globals().values()) if isinstance(value, Metric)),
    *feature_names.METRICS,
    *cluster_names.METRICS,
    *gpu_names.METRICS,
    *node_names.METRICS,
    *resource_names.METRICS,
    *resize_names.METRICS,
    *scaling_names.METRICS,
)
