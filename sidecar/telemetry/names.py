"""Every metric: name, type, unit, labels, help. Nothing else in Pilotfish writes a metric's name.

`docs/metrics.md` is made from this table. Names follow Prometheus: base units, `_total` on counters; labels are bounded
(routes by the page's slots, models by the analyzer, features by the profile).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `name` as a query writes it (a histogram's without `_bucket`), `group` its heading in the docs."""

    name: str
    kind: Kind
    help: str
    group: str
    labels: tuple[str, ...] = ()
    unit: str = ""

    def counter(self) -> CounterMetricFamily:
        """Return a new, empty family of this counter."""
        return CounterMetricFamily(self.name.removesuffix("_total"), self.help, labels=self.labels, unit=self.unit)

    def gauge(self) -> GaugeMetricFamily:
        """Return a new, empty family of this gauge."""
        return GaugeMetricFamily(self.name, self.help, labels=self.labels, unit=self.unit)

    def histogram(self) -> HistogramMetricFamily:
        """Return a new, empty family of this histogram."""
        return HistogramMetricFamily(self.name, self.help, labels=self.labels, unit=self.unit)


TRAFFIC, ACCOUNT, DRIFT, LABELS = "Traffic", "Accounting", "Drift", "Labels and performance"
CONTROL, OWN = "Retraining", "Pilotfish itself"
_ROUTE = ("route",)
_FEATURE = ("model", "feature")
_FAMILY = ("model", "family")

REQUESTS = Metric(
    "pilotfish_requests_total",
    "counter",
    "Exchanges by route and status class; code is none where no response began.",
    TRAFFIC,
    ("route", "code"),
)
DURATION = Metric(
    "pilotfish_request_duration_seconds",
    "histogram",
    "From the first byte of a request to the last one of its response.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
FIRST_BYTE = Metric(
    "pilotfish_time_to_first_byte_seconds",
    "histogram",
    "From the first byte of a request to the first one of its response.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
FIRST_EVENT = Metric(
    "pilotfish_time_to_first_event_seconds",
    "histogram",
    "From the first byte of a request to the first event of a stream that answers it.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
EVENT_GAP = Metric(
    "pilotfish_event_gap_seconds",
    "histogram",
    "Between two events of one stream.",
    TRAFFIC,
    _ROUTE,
    "seconds",
)
IN_FLIGHT = Metric("pilotfish_requests_in_flight", "gauge", "Exchanges that have begun and not ended.", TRAFFIC, _ROUTE)
REQUEST_BYTES = Metric("pilotfish_request_bytes_total", "counter", "Bytes of request bodies.", TRAFFIC, _ROUTE, "bytes")
RESPONSE_BYTES = Metric(
    "pilotfish_response_bytes_total", "counter", "Bytes of response bodies.", TRAFFIC, _ROUTE, "bytes"
)
CONNECTIONS = Metric(
    "pilotfish_connections_total",
    "counter",
    "Client connections by event: accepted, ended, reset, opaque, refused (limit, upstream, descriptors).",
    TRAFFIC,
    ("event",),
)
CONNECTIONS_OPEN = Metric(
    "pilotfish_connections_open",
    "gauge",
    "Client connections that are open; kind opaque is among all.",
    TRAFFIC,
    ("kind",),
)
OPAQUE_BYTES = Metric(
    "pilotfish_opaque_bytes_total",
    "counter",
    "Bytes relayed on connections that are not parsed; direction in is towards the model.",
    TRAFFIC,
    ("direction",),
    "bytes",
)
DOWNGRADES = Metric(
    "pilotfish_downgrades_total",
    "counter",
    "Connections that are relayed without being parsed any more, by reason.",
    TRAFFIC,
    ("reason",),
)
PROXY_UP = Metric(
    "pilotfish_proxy_up",
    "gauge",
    "1 while the proxy's counter page can be read and its process beats, else 0.",
    TRAFFIC,
)
PROXY_START = Metric(
    "pilotfish_proxy_start_time_seconds", "gauge", "When the proxy started, in epoch seconds.", TRAFFIC, (), "seconds"
)

SEEN = Metric("pilotfish_exchanges_seen_total", "counter", "Exchanges that the proxy has seen the end of.", ACCOUNT)
EXCHANGES = Metric(
    "pilotfish_exchanges_total",
    "counter",
    "Exchanges by what became of them; with the queued ones they add up to those seen.",
    ACCOUNT,
    ("fate", "reason"),
)
QUEUED = Metric(
    "pilotfish_exchanges_queued", "gauge", "Exchanges between the proxy and the analyzer; 0 at rest.", ACCOUNT
)
ROWS = Metric(
    "pilotfish_rows_total", "counter", "Decoded rows; side is input or prediction.", ACCOUNT, ("model", "side")
)
LATE_ROWS = Metric(
    "pilotfish_late_rows_total",
    "counter",
    "Rows that came after their tick had closed; they count in the open one.",
    ACCOUNT,
)

PSI = Metric(
    "pilotfish_feature_psi",
    "gauge",
    "Population stability index of the recent ticks against the reference.",
    DRIFT,
    _FEATURE,
)
JENSEN_SHANNON = Metric(
    "pilotfish_feature_jensen_shannon",
    "gauge",
    "Jensen-Shannon distance of the recent ticks from the reference.",
    DRIFT,
    _FEATURE,
)
WASSERSTEIN = Metric(
    "pilotfish_feature_wasserstein",
    "gauge",
    "Wasserstein distance of the recent ticks from the reference, in the reference's standard deviations.",
    DRIFT,
    _FEATURE,
)
MISSING_RATIO = Metric(
    "pilotfish_feature_missing_ratio", "gauge", "Share of missing values in the recent ticks.", DRIFT, _FEATURE, "ratio"
)
UNSEEN_RATIO = Metric(
    "pilotfish_feature_unseen_ratio",
    "gauge",
    "Share of categories in the recent ticks that the reference never had.",
    DRIFT,
    _FEATURE,
    "ratio",
)
OUT_OF_RANGE_RATIO = Metric(
    "pilotfish_feature_out_of_range_ratio",
    "gauge",
    "Share of values in the recent ticks that lie outside of the reference's range.",
    DRIFT,
    _FEATURE,
    "ratio",
)
FEATURE_EVIDENCE = Metric(
    "pilotfish_feature_evidence_ratio",
    "gauge",
    "A feature's own evidence of drift over its family's threshold.",
    DRIFT,
    _FEATURE,
    "ratio",
)
TYPE_MISMATCHES = Metric(
    "pilotfish_type_mismatches_total",
    "counter",
    "Values of another type than their feature's, since the profile came into force.",
    DRIFT,
    ("model",),
)
FINDINGS = Metric(
    "pilotfish_data_quality_findings_total",
    "counter",
    "Findings about rows as rows, as they begin: constant, missing, new, renamed columns; repeats; other types.",
    DRIFT,
    ("model", "kind"),
)
FINDINGS_OPEN = Metric(
    "pilotfish_data_quality_findings_open",
    "gauge",
    "Findings about the recent rows, by kind.",
    DRIFT,
    ("model", "kind"),
)
EVIDENCE = Metric(
    "pilotfish_drift_evidence_ratio",
    "gauge",
    "A family's evidence of drift over the threshold that follows from the false-alarm budget; 1 is an alarm.",
    DRIFT,
    _FAMILY,
    "ratio",
)
ALARMS = Metric("pilotfish_drift_alarms_total", "counter", "Alarms by family.", DRIFT, _FAMILY)
EPISODES_OPEN = Metric("pilotfish_episodes_open", "gauge", "Episodes of drift that are open.", DRIFT, ("model",))
TICKS = Metric("pilotfish_ticks_total", "counter", "Ticks with rows that have closed.", DRIFT)
PROFILE_INFO = Metric(
    "pilotfish_profile_info", "gauge", "1 for the profile in force.", DRIFT, ("model", "version", "hash")
)
PROFILE_ROWS = Metric("pilotfish_profile_rows", "gauge", "Reference rows of the profile in force.", DRIFT, ("model",))

LEARNING_ROWS = Metric(
    "pilotfish_learning_rows",
    "gauge",
    "Rows stored to learn a profile from, while one is learnt; kind wanted is how many it takes.",
    DRIFT,
    ("model", "kind"),
)
LEARNING_TRIES = Metric(
    "pilotfish_learning_tries",
    "gauge",
    "Stretches of rows that the profile in the making was tried with; state gave_up when none was stable.",
    DRIFT,
    ("model", "state"),
)
STREAM_VALUE = Metric(
    "pilotfish_stream_value",
    "gauge",
    "The last number of a stream that a detector of River is fed with.",
    DRIFT,
    ("model", "stream"),
)
STREAM_CHANGES = Metric(
    "pilotfish_stream_changes_total",
    "counter",
    "What detectors of River called a change; budget none: how often they are wrong is not known.",
    DRIFT,
    ("model", "detector", "stream", "budget"),
)
KEPT_ROWS = Metric("pilotfish_kept_rows", "gauge", "Rows of the traffic on disk.", ACCOUNT, ("store",))
KEPT_BYTES = Metric(
    "pilotfish_kept_rows_bytes", "gauge", "Bytes that rows of the traffic take on disk.", ACCOUNT, ("store",), "bytes"
)
UNKEPT_ROWS = Metric(
    "pilotfish_rows_not_kept_total",
    "counter",
    "Rows that were to be kept on disk and were not: no room, or values that cannot be written.",
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
FEEDBACK_PENDING = Metric(
    "pilotfish_feedback_pending_rows", "gauge", "Predicted rows that are kept and have no label yet.", LABELS
)
FEEDBACK_LAG = Metric(
    "pilotfish_feedback_lag_seconds",
    "histogram",
    "From an exchange to the label of its row.",
    LABELS,
    (),
    "seconds",
)
FEEDBACK_COVERAGE = Metric(
    "pilotfish_feedback_coverage_ratio",
    "gauge",
    "Labelled share of the predicted rows of the time for which predictions are kept.",
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
    "Exchanges whose request id an earlier one had: labels join the earlier one.",
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
    "Actions that were wanted, by what became of them and why.",
    CONTROL,
    ("kind", "outcome", "reason"),
)
OUTBOX = Metric(
    "pilotfish_outbox_entries",
    "gauge",
    "Entries of the outbox that wait (pending) or were given up (dead).",
    CONTROL,
    ("state",),
)
OUTBOX_UNSAVED = Metric(
    "pilotfish_outbox_unsaved", "gauge", "Changes of the outbox that could not be written to disk yet.", CONTROL
)
OUTBOX_DAMAGED = Metric(
    "pilotfish_outbox_damaged_lines",
    "gauge",
    "Lines of the outbox that were damaged when it was read, and left out.",
    CONTROL,
)

INFO = Metric("pilotfish_build_info", "gauge", "1, with the version.", OWN, ("version",))
READY = Metric("pilotfish_ready", "gauge", "1 while the analyzer counts, 0 while it is idle.", OWN)
CHECKPOINT_TIME = Metric(
    "pilotfish_checkpoint_timestamp_seconds",
    "gauge",
    "When the last checkpoint was written, in epoch seconds.",
    OWN,
    (),
    "seconds",
)
CHECKPOINT_AGE = Metric(
    "pilotfish_checkpoint_age_seconds",
    "gauge",
    "Seconds since the last checkpoint; without traffic there is nothing to write, and it grows.",
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
    "Ceiling of the analyzer's data; it restarts itself at 85 % of it.",
    OWN,
    (),
    "bytes",
)
MEMORY_DATA = Metric("pilotfish_memory_data_bytes", "gauge", "What of that ceiling is in use.", OWN, (), "bytes")
CPU = Metric("process_cpu_seconds_total", "counter", "User and system CPU time of the analyzer.", OWN, (), "seconds")
RESIDENT = Metric("process_resident_memory_bytes", "gauge", "Resident memory of the analyzer.", OWN, (), "bytes")
VIRTUAL = Metric("process_virtual_memory_bytes", "gauge", "Virtual memory of the analyzer.", OWN, (), "bytes")
START = Metric(
    "process_start_time_seconds", "gauge", "When the analyzer started, in epoch seconds.", OWN, (), "seconds"
)
OPEN_FDS = Metric("process_open_fds", "gauge", "Open file descriptors of the analyzer.", OWN)
MAX_FDS = Metric("process_max_fds", "gauge", "The most file descriptors that the analyzer may open.", OWN)

METRICS = tuple(value for value in globals().values() if isinstance(value, Metric))
