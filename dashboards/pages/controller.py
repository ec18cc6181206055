"""The sections about the controller: what pods send to it, and its own state."""

from __future__ import annotations

from ..model import ZERO_IS_BAD, ZERO_IS_GOOD, Panel, Section, Steps, Target
from ..queries import equal, grown, largest, rate, ratio, series, total, worst_pods

NO_CONTROLLER = "no controller is scraped"
NO_SYNC = "no sidecar follows a controller"
_MONITORS = 'namespace=~"$namespace"'
_ALL = 'namespace=~"$namespace|"'  # requests without a known monitor have no namespace
_WHO = "{{namespace}} {{monitor}}"
_SUCCESS = f"({series('pilotfish_sync_last_success_timestamp_seconds')} > 0)"  # 0 before the first one
_AGE: Steps = ((None, "green"), (300, "yellow"), (900, "red"))


SYNC = Section(
    "From the pods to the controller",
    (
        Panel(
            "lines",
            "Time since the last success",
            "Time since the controller last answered a pod with success, of the ten pods with most.",
            (Target(f"topk(10, time() - {largest(_SUCCESS, 'namespace', 'pod')})", "{{pod}}"),),
            unit="s",
            empty=NO_SYNC,
            steps=_AGE,
        ),
        Panel(
            "lines",
            "Age of the oldest tick",
            "Time since the end of the oldest tick that the controller has not stored, of the ten pods with most.",
            (Target(worst_pods(series("pilotfish_sync_oldest_unacknowledged_seconds")), "{{pod}}"),),
            unit="s",
            empty=NO_SYNC,
            steps=_AGE,
        ),
        Panel(
            "lines",
            "Ticks that wait",
            "Closed ticks that the controller has not stored, of the ten pods with most.",
            (Target(worst_pods(series("pilotfish_sync_unacknowledged_ticks")), "{{pod}}"),),
            empty=NO_SYNC,
        ),
        Panel(
            "lines",
            "Dropped ticks",
            "Ticks that pods dropped before they were stored, and ticks that the controller closed without rows.",
            (
                Target(total(grown("pilotfish_sync_dropped_ticks_total"), "namespace"), "pods of {{namespace}}"),
                Target(
                    total(grown("pilotfish_fleet_dropped_ticks_total", scope=_MONITORS), "namespace", "monitor"),
                    _WHO,
                ),
            ),
            empty=NO_SYNC,
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Requests of the pods",
            "Requests with counts per second by outcome.",
            (Target(total(rate("pilotfish_sync_requests_total"), "outcome"), "{{outcome}}"),),
            unit="reqps",
            empty=NO_SYNC,
        ),
        Panel(
            "lines",
            "Refused reports",
            "Reports of pods that the controller did not count, by reason.",
            (Target(total(grown("pilotfish_fleet_refused_reports_total", scope=_MONITORS), "reason"), "{{reason}}"),),
            empty="no report was refused",
            steps=ZERO_IS_GOOD,
        ),
    ),
)
CONTROLLER = Section(
    "Controller",
    (
        Panel(
            "state",
            "Leader",
            "Which replica of the controller led.",
            (Target("max by (pod) (pilotfish_control_leader)", "{{pod}}"),),
            empty=NO_CONTROLLER,
            steps=ZERO_IS_BAD,
            states=(("0", "standby", "blue"), ("1", "leader", "green")),
        ),
        Panel(
            "lines",
            "Pods heard",
            "Share of the expected pods of each monitor that reported lately.",
            (
                Target(
                    ratio(
                        total(
                            series("pilotfish_pods", equal("state", "heard"), scope=_MONITORS), "namespace", "monitor"
                        ),
                        total(
                            series("pilotfish_pods", equal("state", "expected"), scope=_MONITORS),
                            "namespace",
                            "monitor",
                        ),
                    ),
                    _WHO,
                ),
            ),
            unit="percentunit",
            empty=NO_CONTROLLER,
            steps=((None, "red"), (0.8, "yellow"), (1, "green")),
        ),
        Panel(
            "state",
            "Monitors whose ticks wait",
            "When ticks of a monitor waited for pods, by reason.",
            (
                Target(
                    f"max by (namespace, monitor, reason) ({series('pilotfish_fleet_holding', scope=_MONITORS)})",
                    f"{_WHO} {{{{reason}}}}",
                ),
            ),
            empty="no tick waits",
            steps=ZERO_IS_GOOD,
            states=(("1", "waits", "red"),),
        ),
        Panel(
            "lines",
            "Requests to the controller",
            "Requests per second by path and outcome.",
            (
                Target(
                    total(rate("pilotfish_control_http_requests_total", scope=_ALL), "path", "outcome"),
                    "{{path}} {{outcome}}",
                ),
            ),
            unit="reqps",
            empty=NO_CONTROLLER,
        ),
        Panel(
            "lines",
            "Reviews of callers",
            "Reviews of tokens and rights per second by outcome, and results in memory.",
            (
                Target(
                    total("rate(pilotfish_control_reviews_total[$__rate_interval])", "kind", "outcome"),
                    "{{kind}} {{outcome}}",
                ),
            ),
            unit="ops",
            empty=NO_CONTROLLER,
        ),
        Panel(
            "lines",
            "Connections and reviews in memory",
            "Open connections of pods to the controller, and reviews of callers that it remembers.",
            (
                Target("sum by (pod) (pilotfish_control_connections_open)", "connections {{pod}}"),
                Target("sum by (kind) (pilotfish_control_reviews_cached)", "reviews {{kind}}"),
            ),
            empty=NO_CONTROLLER,
        ),
        Panel(
            "lines",
            "Errors of the API server",
            "Failed requests to the API server per second, by verb and reason.",
            (
                Target(
                    "sum by (verb, reason) (rate(pilotfish_kube_errors_total[$__rate_interval]))", "{{verb}} {{reason}}"
                ),
            ),
            unit="reqps",
            empty="no request failed",
            steps=((None, "green"), (0.1, "yellow")),
        ),
        Panel(
            "lines",
            "Time since the API server answered",
            "Time since the API server was last heard, by replica of the controller.",
            (Target("max by (pod) (pilotfish_kube_contact_age_seconds)", "{{pod}}"),),
            unit="s",
            empty=NO_CONTROLLER,
            steps=((None, "green"), (30, "yellow"), (120, "red")),
        ),
        Panel(
            "lines",
            "Size of checkpoints",
            "Size of the last checkpoint of each monitor, which ConfigMaps hold.",
            (Target(f"max by (namespace, monitor) ({series('pilotfish_checkpoint_bytes', scope=_MONITORS)})", _WHO),),
            unit="bytes",
            empty=NO_CONTROLLER,
        ),
    ),
)
