"""Fleet: all models at a glance, and which one to look at."""

from __future__ import annotations

from ..model import BURN, ERRORS, EVIDENCE, GOOD, ZERO_IS_GOOD, Page, Panel, Section, Target
from ..queries import (
    LEAST_EVIDENCE,
    MODEL_PODS,
    OBJECTIVE_WINDOW,
    OF_PODS,
    equal,
    errors,
    evidence,
    growth,
    how_many,
    largest,
    of_model,
    quantile,
    rate,
    results,
    series,
    total,
)
from .injector import REFUSED
from .variables import MODEL, NAMESPACE, POD, VERSION

_BY = ("namespace", "model", "version")
_LEGEND = "{{model}} {{version}}"
_HPA = 'namespace=~"$namespace"'
NO_PODS = "no sidecar is scraped"
NO_TRAFFIC = "no requests"
_BLIND = f"max by (namespace, pod, model) ({of_model(series('pilotfish_blind'))})"
_UNPROFILED = f"{MODEL_PODS} unless on (namespace, pod) {series('pilotfish_profile_info', OF_PODS)}"

NOW = Section(
    "Now",
    (
        Panel(
            "stat",
            "Pods",
            "Pods with a sidecar that Prometheus scrapes.",
            (Target(f"count({MODEL_PODS})"),),
            empty=NO_PODS,
            width=3,
            height=4,
        ),
        Panel(
            "stat",
            "Requests",
            "Exchanges of all selected models per second.",
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
            "Open episodes",
            "Drift episodes that are open now.",
            (Target(total(results("pilotfish_episodes_open"))),),
            empty=NO_PODS,
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Blind pods",
            "Pods in which a part of the traffic is not measured; the dashboard of the model has the reason.",
            (Target(how_many(_BLIND, "== 1")),),
            empty=NO_PODS,
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "No profile",
            "Pods in which no profile is in force, so that no drift can be found.",
            (Target(f"count({_UNPROFILED}) or 0 * count({MODEL_PODS})"),),
            empty=NO_PODS,
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Not injected",
            "Pods in this time that asked for sidecars and were admitted without; Pilotfish itself has the reasons.",
            (Target(total(growth(REFUSED, "$__range"))),),
            empty="none",
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "stat",
            "Pods not heard",
            "Pods that should report to the controller and did not lately.",
            (
                Target(
                    f"sum({series('pilotfish_pods', equal('state', 'expected'), scope=_HPA)})"
                    f" - sum({series('pilotfish_pods', equal('state', 'heard'), scope=_HPA)})"
                ),
            ),
            empty="no controller",
            width=3,
            height=4,
            steps=ZERO_IS_GOOD,
        ),
    ),
)
MODELS = Section(
    "Models",
    (
        Panel(
            "table",
            "All models",
            "Each model and version with its traffic, errors, latency and drift; follow the link to its dashboard.",
            (
                Target(f"count by (namespace, model, version) ({MODEL_PODS})", title="Pods"),
                Target(total(of_model(rate("pilotfish_requests_total")), *_BY), title="Requests", unit="reqps"),
                Target(errors(*_BY), title="Errors", unit="percentunit", steps=ERRORS),
                Target(quantile(0.95, "pilotfish_request_duration_seconds", *_BY), title="p95", unit="s"),
                Target(
                    evidence(largest(results("pilotfish_drift_evidence_ratio"), *_BY)),
                    title="Evidence",
                    unit="none",
                    steps=EVIDENCE,
                ),
                Target(results("pilotfish_episodes_open"), title="Open episodes", steps=ZERO_IS_GOOD),
                Target(
                    total(results("pilotfish_data_quality_findings_open", "kind"), *_BY),
                    title="Findings",
                    steps=ZERO_IS_GOOD,
                ),
            ),
            empty=NO_PODS,
            width=24,
            height=9,
            links=(("model", "pilotfish-model"),),
        ),
    ),
)
TRAFFIC = Section(
    "Traffic",
    (
        Panel(
            "lines",
            "Requests",
            "Exchanges per second by model and version.",
            (Target(total(of_model(rate("pilotfish_requests_total")), *_BY), _LEGEND),),
            unit="reqps",
            empty=NO_TRAFFIC,
            width=6,
        ),
        Panel(
            "lines",
            "Errors",
            "Share of exchanges with a status 5xx or without a response, by model and version.",
            (Target(errors(*_BY), _LEGEND),),
            unit="percentunit",
            empty=NO_TRAFFIC,
            width=6,
            steps=ERRORS,
        ),
        Panel(
            "lines",
            "Error-budget burn",
            "Speed at which the last hour used the error budget of the objective: at 1, the budget is used up exactly "
            "at the end of its period; at 14.4, an hour uses 2 % of 30 days.",
            (Target(f"({errors(*_BY, window=OBJECTIVE_WINDOW)}) / (1 - $objective)", _LEGEND),),
            unit="none",
            empty=NO_TRAFFIC,
            width=6,
            steps=BURN,
        ),
        Panel(
            "lines",
            "Latency, p95",
            "Time that 95 % of the exchanges did not exceed, by model and version.",
            (Target(quantile(0.95, "pilotfish_request_duration_seconds", *_BY), _LEGEND),),
            unit="s",
            empty=NO_TRAFFIC,
            width=6,
        ),
    ),
)
DRIFT = Section(
    "Drift",
    (
        Panel(
            "lines",
            "Evidence against the threshold",
            "Largest evidence of drift, divided by its threshold; 1 raises an alarm, after which it starts again.",
            (Target(evidence(largest(results("pilotfish_drift_evidence_ratio"), *_BY)), _LEGEND),),
            unit="none",
            empty="no profile is in force",
            steps=EVIDENCE,
            low=LEAST_EVIDENCE,
            log=True,
        ),
        Panel(
            "state",
            "Drift episodes",
            "When a drift episode was open, by model and version.",
            (Target(f"{results('pilotfish_episodes_open')} > bool 0", _LEGEND),),
            empty="no sidecar is scraped",
            steps=ZERO_IS_GOOD,
            states=(("0", "none", "green"), ("1", "open", "red")),
        ),
        Panel(
            "lines",
            "Data-quality findings",
            "Open findings about the recent rows, by model and version.",
            (Target(total(results("pilotfish_data_quality_findings_open", "kind"), *_BY), _LEGEND),),
            empty="no rows yet",
            steps=ZERO_IS_GOOD,
        ),
    ),
)
REPLICAS = Section(
    "Replicas",
    (
        Panel(
            "lines",
            "Pods with a sidecar",
            "Pods that Prometheus scrapes, by model and version.",
            (Target(f"count by (namespace, model, version) ({MODEL_PODS})", _LEGEND),),
            empty=NO_PODS,
            steps=GOOD,
        ),
        Panel(
            "lines",
            "Replicas against the maximum",
            "Current replicas of each HorizontalPodAutoscaler, divided by its maximum; at 1, load can only queue.",
            (
                Target(
                    f"max by (namespace, horizontalpodautoscaler)"
                    f" ({series('kube_horizontalpodautoscaler_status_current_replicas', scope=_HPA)})"
                    f" / max by (namespace, horizontalpodautoscaler)"
                    f" ({series('kube_horizontalpodautoscaler_spec_max_replicas', scope=_HPA)})",
                    "{{horizontalpodautoscaler}}",
                ),
            ),
            unit="percentunit",
            empty="no HorizontalPodAutoscaler, or no kube-state-metrics",
            steps=((None, "green"), (1, "red")),
        ),
        Panel(
            "lines",
            "Pods without a profile",
            "Pods in which no profile is in force, by model and version.",
            (Target(f"count by (namespace, model, version) ({_UNPROFILED})", _LEGEND),),
            empty="every pod has a profile",
            steps=ZERO_IS_GOOD,
        ),
    ),
)
PAGE = Page(
    "fleet",
    "Pilotfish / Fleet",
    "All monitored models: traffic, errors, latency, drift, replicas.",
    (NAMESPACE, MODEL, VERSION, POD),
    (NOW, MODELS, TRAFFIC, DRIFT, REPLICAS),
    objective=True,
)
