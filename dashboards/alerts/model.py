"""Alerts about a model: its errors and latency, its drift, its data."""

from __future__ import annotations

from .recorded import (
    ALARMS,
    AVAILABILITY,
    EPISODES,
    EVIDENCE,
    FINDINGS,
    LOSS,
    POD_MODEL,
    PROMPTNESS,
    SLOW_AFTER,
    ratio,
)
from .rule import Alert, Group

_WHO = "{{ $labels.namespace }}/{{ $labels.model }} (version {{ $labels.version }})"
_FAST, _SLOW = ((14.4, "1h", "5m"), (6, "6h", "30m")), ((3, "1d", "2h"), (1, "3d", "6h"))


def burning(kind: str, objective: str, pairs: tuple[tuple[float, str, str], ...]) -> str:
    """Return whether a model spends its budget faster than each factor allows, in a long and in a short window."""
    parts = []
    for factor, long, short in pairs:
        bound = f"on () group_left () (({factor} * (1 - {objective})))"
        parts.append(f"({ratio(kind, long)} > {bound} and {ratio(kind, short)} > {bound})")
    return " or ".join(parts)


_SHARE = "{{ $value | humanizePercentage }}"
SERVICE = Group(
    "pilotfish-service",
    (
        Alert(
            "PilotfishErrorBudgetBurnFast",
            burning("failed", AVAILABILITY, _FAST),
            "2m",
            "critical",
            f"Requests to {_WHO} fail.",
            f"{_SHARE} of the requests failed with a status 5xx or without a response. At this rate, the error budget "
            "of 30 days is spent within 5 days at most.",
            "PilotfishErrorBudgetBurn",
        ),
        Alert(
            "PilotfishErrorBudgetBurnSlow",
            burning("failed", AVAILABILITY, _SLOW),
            "15m",
            "warning",
            f"More requests to {_WHO} fail than the objective allows.",
            f"{_SHARE} of the requests failed over the last day or more. At this rate, the error budget does not last "
            "30 days.",
            "PilotfishErrorBudgetBurn",
        ),
        Alert(
            "PilotfishLatencyBudgetBurnFast",
            burning("slow", PROMPTNESS, _FAST),
            "2m",
            "critical",
            f"Responses of {_WHO} are slow.",
            f"{_SHARE} of the responses began later than {float(SLOW_AFTER):g} s after the request. At this rate, the "
            "latency budget of 30 days is spent within 5 days at most.",
            "PilotfishLatencyBudgetBurn",
        ),
        Alert(
            "PilotfishLatencyBudgetBurnSlow",
            burning("slow", PROMPTNESS, _SLOW),
            "15m",
            "warning",
            f"More responses of {_WHO} are slow than the objective allows.",
            f"{_SHARE} of the responses began later than {float(SLOW_AFTER):g} s after the request, over the last day "
            "or more.",
            "PilotfishLatencyBudgetBurn",
        ),
        Alert(
            "PilotfishModelUnreachable",
            "max by (namespace, pod) (pilotfish_upstreams_unreachable) > 0",
            "2m",
            "critical",
            "The proxy of {{ $labels.namespace }}/{{ $labels.pod }} cannot connect to the model server.",
            "{{ $value }} addresses of the model server refuse connections or do not answer.",
        ),
        Alert(
            "PilotfishAtMaxReplicas",
            "max by (namespace, horizontalpodautoscaler) (kube_horizontalpodautoscaler_status_desired_replicas"
            " >= on (namespace, horizontalpodautoscaler) kube_horizontalpodautoscaler_spec_max_replicas)"
            f" and on (namespace) {POD_MODEL}",
            "30m",
            "warning",
            "{{ $labels.namespace }}/{{ $labels.horizontalpodautoscaler }} wants its maximum of replicas.",
            "The autoscaler has wanted {{ $value }} replicas, its maximum, for 30 minutes, in a namespace with "
            "monitored models. More load cannot add replicas.",
        ),
        Alert(
            "PilotfishPodUnschedulable",
            "max by (namespace, pod) (kube_pod_status_unschedulable == 1) and on (namespace, pod)"
            ' kube_pod_init_container_info{container="pilotfish-analyzer"}',
            "10m",
            "warning",
            "The injected pod {{ $labels.namespace }}/{{ $labels.pod }} cannot be scheduled.",
            "No node has had room for it for 10 minutes.",
        ),
        Alert(
            "PilotfishGpuXid",
            f"max by (namespace, pod, gpu) (DCGM_FI_DEV_XID_ERRORS > 0) and on (namespace, pod) {POD_MODEL}",
            "1m",
            "critical",
            "A GPU of {{ $labels.namespace }}/{{ $labels.pod }} reports an Xid error.",
            "The last error of GPU {{ $labels.gpu }} is Xid {{ $value }}.",
        ),
    ),
)
DRIFT = Group(
    "pilotfish-drift",
    (
        Alert(
            "PilotfishDriftAlarm",
            f"{EPISODES} > 0",
            "1m",
            "warning",
            f"The data of {_WHO} has drifted from its reference.",
            "{{ $value }} drift episodes are open. The evidence has crossed the threshold of the false-alarm budget.",
        ),
        Alert(
            "PilotfishPerformanceWorse",
            f'{EVIDENCE}{{family="performance"}} >= 1',
            "1m",
            "warning",
            f"The performance of {_WHO} has become worse.",
            "Labels show a higher loss than the reference: the evidence is {{ $value | humanize }} times its "
            "threshold.",
        ),
        Alert(
            "PilotfishLossHigh",
            f'{LOSS}{{kind="realized"}} > ignoring (kind) 1.2 * {LOSS}{{kind="reference"}}',
            "1h",
            "warning",
            f"The loss of {_WHO} exceeds its reference by a fifth.",
            "The mean loss of the labelled rows is {{ $value | humanize }}.",
            "PilotfishPerformanceWorse",
        ),
        Alert(
            "PilotfishDataQuality",
            f"{FINDINGS} > 0",
            "15m",
            "warning",
            f"The requests to {_WHO} have a data-quality problem: {{{{ $labels.kind }}}}.",
            "{{ $value }} findings of this kind are open.",
        ),
        Alert(
            "PilotfishEpisodeStuck",
            f"{EPISODES} > 0",
            "3d",
            "warning",
            f"A drift episode of {_WHO} has been open for 3 days.",
            "{{ $value }} episodes are open. Neither a retraining nor a recovery of the data has ended them.",
        ),
        Alert(
            "PilotfishProfileMissing",
            f'({POD_MODEL} unless on (namespace, pod) pilotfish_profile_info{{monitor=""}})',
            "1h",
            "warning",
            "The pod {{ $labels.namespace }}/{{ $labels.pod }} has no profile.",
            "No profile is in force for {{ $labels.model }}, version {{ $labels.version }}: its traffic is measured, "
            "its drift is not.",
        ),
        Alert(
            "PilotfishFalseAlarmBudgetSpent",
            f"sum by (namespace, monitor, model, version) (increase({ALARMS}[30d])) >= 4",
            "5m",
            "info",
            f"{_WHO} raised more alarms in 30 days than chance explains.",
            "{{ $value | humanize }} alarms were raised. With the default budget of 1 false alarm in 30 days, 4 or "
            "more by chance have a probability of 2 % at most.",
        ),
    ),
)
