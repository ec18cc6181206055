"""The recording rules: results by namespace, model and version, which alerts and your own panels read cheaply.

A sidecar's metrics about traffic have no label for the model; `pilotfish:pod_model:info` has it for each pod. Results
of detection are the controller's where it exports them, else those of the sidecars.
"""

from __future__ import annotations

from .rule import Group, Recording

POD_MODEL = "pilotfish:pod_model:info"
REQUESTS, FAILED = "model:pilotfish_requests:rate5m", "model:pilotfish_requests_failed:rate5m"
ANSWERED, SLOW = "model:pilotfish_requests_answered:rate5m", "model:pilotfish_requests_slow:rate5m"
EPISODES, EVIDENCE = "model:pilotfish_episodes_open:max", "model:pilotfish_drift_evidence_ratio:max"
LOSS, FINDINGS = "model:pilotfish_model_loss:max", "model:pilotfish_data_quality_findings_open:max"
ALARMS = "model:pilotfish_drift_alarms:max"
AVAILABILITY, PROMPTNESS = "pilotfish:objective:availability", "pilotfish:objective:latency"
SLOW_AFTER = "1.0"  # seconds to the first byte; a bound of the histogram's buckets
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_MODEL = "namespace, model, version"
_TRAFFIC = 'route!="probes"'


def ratio(kind: str, window: str) -> str:
    """Return the name of the series with the share of requests that are `failed` or `slow` within `window`."""
    return f"model:pilotfish_requests_{kind}:ratio_rate{window}"


def _of_model(vector: str) -> str:
    return f"sum by ({_MODEL}) ({vector} * on (namespace, pod) group_left (model, version) {POD_MODEL})"


def _result(metric: str, *labels: str) -> str:
    """Return a result of detection: the controller's, or the largest of the pods."""
    by = ", ".join(("namespace", "model", "version", *labels))
    own = f'{metric}{{monitor=""}} * on (namespace, pod, model) group_left (version) {POD_MODEL}'
    fleet = f'max by (monitor, {by}) ({metric}{{monitor!=""}})'
    return f"{fleet} or on ({', '.join(('namespace', 'model', *labels))}) max by ({by}) ({own})"


def _share(part: str, whole: str, window: str) -> str:
    if window == "5m":
        return f"{part} / ({whole} > 0)"
    return f"sum_over_time({part}[{window}]) / (sum_over_time({whole}[{window}]) > 0)"


# Prometheus has classic series of a histogram, or one native histogram with its name.
_FIRST_BYTE = "pilotfish_time_to_first_byte_seconds"
_COUNT = _of_model(f"rate({_FIRST_BYTE}_count{{{_TRAFFIC}}}[5m])")
_FAST = _of_model(f'rate({_FIRST_BYTE}_bucket{{{_TRAFFIC}, le="{SLOW_AFTER}"}}[5m])')
_NATIVE = _of_model(f"rate({_FIRST_BYTE}{{{_TRAFFIC}}}[5m])")
_NATIVE_COUNT = f"histogram_count({_NATIVE})"
# `>= 0` drops the fraction NaN of a histogram without observations. YAML may break a line at a space, so what the
# chart replaces has none.
_NATIVE_FAST = f"{_NATIVE_COUNT} * (histogram_fraction(0,{SLOW_AFTER},{_NATIVE}) >= 0)"

TRAFFIC = Group(
    "pilotfish-traffic",
    (
        Recording(AVAILABILITY, "vector(0.999)"),
        Recording(PROMPTNESS, "vector(0.99)"),
        Recording(POD_MODEL, 'topk by (namespace, pod) (1, pilotfish_model_info{monitor=""})'),
        Recording(REQUESTS, _of_model(f"rate(pilotfish_requests_total{{{_TRAFFIC}}}[5m])")),
        Recording(
            FAILED,
            f'{_of_model(f"""rate(pilotfish_requests_total{{{_TRAFFIC}, code=~"5xx|none"}}[5m])""")} or {REQUESTS} * 0',
        ),
        Recording(ANSWERED, f"{_COUNT} or {_NATIVE_COUNT}"),
        Recording(SLOW, f"clamp_min({ANSWERED} - ({_FAST} or {_NATIVE_FAST}), 0)"),
        *(
            Recording(ratio(kind, window), _share(part, whole, window))
            for kind, part, whole in (("failed", FAILED, REQUESTS), ("slow", SLOW, ANSWERED))
            for window in WINDOWS
        ),
    ),
)
DETECTION = Group(
    "pilotfish-detection",
    (
        Recording(EPISODES, _result("pilotfish_episodes_open")),
        Recording(EVIDENCE, _result("pilotfish_drift_evidence_ratio", "family")),
        Recording(ALARMS, _result("pilotfish_drift_alarms_total", "family")),
        Recording(LOSS, _result("pilotfish_model_loss", "kind")),
        Recording(FINDINGS, _result("pilotfish_data_quality_findings_open", "kind")),
        Recording("model:pilotfish_feature_psi:max", _result("pilotfish_feature_psi", "feature")),
    ),
)
RECORDED = (TRAFFIC, DETECTION)
