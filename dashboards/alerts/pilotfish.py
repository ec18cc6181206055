"""Alerts about Pilotfish: whether it measures, whether its parts run, whether its actions have an effect."""

from __future__ import annotations

from .rule import Alert, Group

_POD = "{{ $labels.namespace }}/{{ $labels.pod }}"
_MONITOR = "{{ $labels.namespace }}/{{ $labels.monitor }}"
_SIDECARS, _CENTRAL = 'job=~"pilotfish|.*pilotfish-sidecars"', 'job=~".+/pilotfish"'
_DROPPED = 'sum by (namespace, pod) (rate(pilotfish_exchanges_total{fate="dropped"}[5m]))'
_SEEN = "sum by (namespace, pod) (rate(pilotfish_exchanges_seen_total[5m]))"
_DAY = 86400

MEASURING = Group(
    "pilotfish-measuring",
    (
        Alert(
            "PilotfishAnalyzerAbsent",
            f"max by (namespace, pod, instance) (up{{{_SIDECARS}}} == 0) or (max by (namespace, pod)"
            ' (kube_pod_init_container_info{container="pilotfish-analyzer"}) and on (namespace, pod)'
            ' kube_pod_status_phase{phase="Running"} == 1'
            f" unless on (namespace, pod) up{{{_SIDECARS}}})",
            "10m",
            "warning",
            f"Prometheus does not hear the analyzer of {_POD}.",
            "The pod runs with a sidecar, and its metrics have been missing for 10 minutes. Requests are still served.",
        ),
        Alert(
            "PilotfishBlind",
            'max by (namespace, pod, reason) (pilotfish_blind{monitor="", reason!="idle"}) == 1',
            "10m",
            "warning",
            f"Pilotfish does not measure all traffic of {_POD}: {{{{ $labels.reason }}}}.",
            "The absence of a drift alarm means nothing for the traffic that is not measured.",
        ),
        Alert(
            "PilotfishBypassed",
            'max by (namespace, monitor) (pilotfish_blind{monitor!="", reason="bypassed"}) == 1',
            "5m",
            "warning",
            f"The traffic of {_MONITOR} does not pass through Pilotfish.",
            "The proxies of all pods have seen nothing but probes, and a Service leads to the model's port.",
        ),
        Alert(
            "PilotfishExchangesDropped",
            f"{_DROPPED} / ({_SEEN} > 0) > 0.01",
            "10m",
            "warning",
            f"Pilotfish drops exchanges of {_POD}.",
            "{{ $value | humanizePercentage }} of the exchanges were served but not measured.",
        ),
    ),
)
CLUSTER = Group(
    "pilotfish-cluster",
    (
        Alert(
            "PilotfishFleetNotHeard",
            'pilotfish_pods{state="expected"} - ignoring (state) pilotfish_pods{state="heard"} > 0',
            "15m",
            "warning",
            f"The controller does not hear all pods of {_MONITOR}.",
            "{{ $value }} pods that should report have sent no counts lately.",
        ),
        Alert(
            "PilotfishControlDown",
            f"max by (namespace, pod) (up{{{_CENTRAL}}}) == 0",
            "10m",
            "warning",
            f"Prometheus cannot scrape {_POD}.",
            "A replica of the controller or of the injector has not answered for 10 minutes.",
        ),
        Alert(
            "PilotfishNoLeader",
            "max(pilotfish_control_leader) == 0",
            "5m",
            "critical",
            "No replica of the controller leads.",
            "Fleet-wide detection, conditions and actions have stopped. Requests and sidecars are not affected.",
        ),
        Alert(
            "PilotfishInjectionFailing",
            'sum by (outcome) (increase(pilotfish_admission_reviews_total{outcome!="answered"}[15m])) > 0',
            "1m",
            "critical",
            "The injector fails to review new pods.",
            "{{ $value | humanize }} reviews of the last 15 minutes ended as {{ $labels.outcome }}. These pods run "
            "without sidecars, or were refused if the failure policy says so.",
        ),
        Alert(
            "PilotfishInjectorNotReady",
            "max(pilotfish_injector_ready) == 0",
            "10m",
            "critical",
            "No replica of the injector is ready.",
            "The injector has not read what its decisions need. New pods run without sidecars.",
            "PilotfishInjectionFailing",
        ),
        Alert(
            "PilotfishCertificateExpiry",
            f'(min by (namespace, pod, name) (pilotfish_certificate_expiry_timestamp_seconds{{name="serving"}}) - '
            f"time() < {_DAY}) or (min by (namespace, pod, name) "
            f'(pilotfish_certificate_expiry_timestamp_seconds{{name="authority"}}) - time() < {30 * _DAY})',
            "15m",
            "critical",
            f"The certificate {{{{ $labels.name }}}} of {_POD} is near its end.",
            "It expires in {{ $value | humanizeDuration }}, and was not renewed after two thirds of its life.",
        ),
        Alert(
            "PilotfishSidecarsOutdated",
            "max(pilotfish_sidecars_outdated) > 0",
            "7d",
            "info",
            "Pods run sidecars of another release than the controller.",
            "{{ $value }} pods have had an older or newer sidecar for a week.",
        ),
    ),
)
ACTIONS = Group(
    "pilotfish-actions",
    (
        Alert(
            "PilotfishActionRefused",
            'max by (namespace, monitor, pod, kind, receiver) (pilotfish_outbox_waiting{kind!="notify"}) > 0',
            "1h",
            "warning",
            "A {{ $labels.kind }} of {{ $labels.namespace }} has waited for its receiver for an hour.",
            "{{ $value }} requests wait for {{ $labels.receiver }}, which refuses them or does not answer.",
        ),
        Alert(
            "PilotfishWebhookDead",
            'max by (namespace, monitor, pod) (pilotfish_outbox_entries{state="dead"}) > 0',
            "5m",
            "warning",
            "Pilotfish has given up a request or a notification of {{ $labels.namespace }}.",
            "{{ $value }} entries were given up: their receiver did not accept them within a day, or refused them for "
            "good.",
        ),
    ),
)
