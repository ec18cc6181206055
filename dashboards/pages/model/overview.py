"""The state of the model now."""

from __future__ import annotations

from ...model import ERRORS, EVIDENCE, ZERO_IS_GOOD, Panel, Section, Target
from ...queries import MODEL_PODS, errors, evidence, how_many, largest, of_model, quantile, rate, results, series, total

NO_TRAFFIC = "no requests"
_BLIND = f"max by (namespace, pod) ({of_model(series('pilotfish_blind'))})"

NOW = Section(
    "Now",
    (
        Panel(
            "stat",
            "Pods",
            "Pods of the selected versions that Prometheus scrapes.",
            (Target(f"count({MODEL_PODS})"),),
            empty="no sidecar is scraped",
            width=3,
            height=4,
        ),
        Panel(
            "stat",
            "Requests",
            "Exchanges per second.",
            (Target(total(of_model(rate("pilotfish_requests_total")))),),
            unit="reqps",
            empty=NO_TRAFFIC,
            width=3,
            height=4,
        ),
        Panel(
            "stat",
            "Errors",
            "Share of exchanges with a status 5xx or without a response.",
            (Target(errors()),),
            unit="percentunit",
            empty=NO_TRAFFIC,
            width=3,
            height=4,
            steps=ERRORS,
        ),
        Panel(
            "stat",
            "Latency, p95",
            "Time that 95 % of the exchanges did not exceed.",
            (Target(quantile(0.95, "pilotfish_request_duration_seconds")),),
            unit="s",
            empty=NO_TRAFFIC,
            width=3,
            height=4,
        ),
        Panel(
            "stat",
            "Evidence",
            "Largest evidence of drift, divided by the threshold that the false-alarm budget gives; 1 raises an alarm.",
            (Target(evidence(largest(results("pilotfish_drift_evidence_ratio")))),),
            unit="none",
            empty="no profile is in force",
            width=3,
            height=4,
            steps=EVIDENCE,
        ),
        Panel(
            "stat",
            "Open episodes",
            "Drift episodes that are open now.",
            (Target(total(results("pilotfish_episodes_open"))),),
            empty="no sidecar is scraped",
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Blind pods",
            "Pods in which a part of the traffic is not measured; the section about blind spots has the reasons.",
            (Target(how_many(_BLIND, "== 1")),),
            empty="no sidecar is scraped",
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Unreachable",
            "Model servers that a proxy could not connect to at its last attempt.",
            (Target(total(of_model(series("pilotfish_upstreams_unreachable")))),),
            empty="no proxy is up",
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
