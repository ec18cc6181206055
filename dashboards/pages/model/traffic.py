"""Requests, errors and latency: in total, by version and by pod."""

from __future__ import annotations

from ...model import ERRORS, ZERO_IS_GOOD, Panel, Section, Target
from ...queries import errors, of_model, quantile, rate, series, total

NO_TRAFFIC = "no requests"
_DURATION = "pilotfish_request_duration_seconds"
_FIRST_BYTE = "pilotfish_time_to_first_byte_seconds"
_SHARES = (0.5, 0.9, 0.95, 0.99)
_OUTLIERS = 10  # pods in a panel of outliers


def quantiles(metric: str) -> tuple[Target, ...]:
    """Return one query for each usual quantile of a histogram."""
    return tuple(Target(quantile(share, metric), f"p{share * 100:.0f}") for share in _SHARES)


TRAFFIC = Section(
    "Requests, errors, latency",
    (
        Panel(
            "lines",
            "Requests by status",
            "Exchanges per second by class of their HTTP status; none means that no response began.",
            (Target(total(of_model(rate("pilotfish_requests_total")), "code"), "{{code}}"),),
            unit="reqps",
            empty=NO_TRAFFIC,
            share=True,
        ),
        Panel(
            "lines",
            "Requests by route",
            "Exchanges per second by method and path.",
            (Target(total(of_model(rate("pilotfish_requests_total")), "route"), "{{route}}"),),
            unit="reqps",
            empty=NO_TRAFFIC,
            share=True,
        ),
        Panel(
            "lines",
            "Errors by route",
            "Share of exchanges with a status 5xx or without a response, by method and path.",
            (Target(errors("route"), "{{route}}"),),
            unit="percentunit",
            empty=NO_TRAFFIC,
            steps=ERRORS,
        ),
        Panel(
            "heat",
            "Latency",
            "Number of exchanges per second in each range of latency.",
            (Target(total(of_model(rate(f"{_DURATION}_bucket")), "le"), "{{le}}"),),
            unit="s",
            empty=NO_TRAFFIC,
        ),
        Panel(
            "lines",
            "Latency",
            "Quantiles of the time from the first byte of a request to the last byte of its response.",
            quantiles(_DURATION),
            unit="s",
            empty=NO_TRAFFIC,
        ),
        Panel(
            "lines",
            "Time to first byte",
            "Quantiles of the time from the first byte of a request to the first byte of its response.",
            quantiles(_FIRST_BYTE),
            unit="s",
            empty=NO_TRAFFIC,
        ),
        Panel(
            "lines",
            "In flight",
            "Exchanges in progress by pod.",
            (Target(total(of_model(series("pilotfish_requests_in_flight")), "pod"), "{{pod}}"),),
            empty="no proxy is up",
        ),
        Panel(
            "lines",
            "Bytes",
            "Bytes of request and response bodies per second.",
            (
                Target(total(of_model(rate("pilotfish_request_bytes_total"))), "requests"),
                Target(total(of_model(rate("pilotfish_response_bytes_total"))), "responses"),
            ),
            unit="Bps",
            empty=NO_TRAFFIC,
        ),
        Panel(
            "lines",
            "Client connections",
            "Connections per second by event; connect_failures are failed connections to the model server.",
            (Target(total(of_model(rate("pilotfish_connections_total")), "event"), "{{event}}"),),
            unit="cps",
            empty="no proxy is up",
        ),
    ),
)
VERSIONS = Section(
    "Versions side by side",
    (
        Panel(
            "lines",
            "Requests by version",
            "Exchanges per second of each version: how a rollout divides the traffic.",
            (Target(total(of_model(rate("pilotfish_requests_total")), "model", "version"), "{{model}} {{version}}"),),
            unit="reqps",
            empty=NO_TRAFFIC,
            share=True,
        ),
        Panel(
            "lines",
            "Errors by version",
            "Share of exchanges with a status 5xx or without a response, of each version.",
            (Target(errors("model", "version"), "{{model}} {{version}}"),),
            unit="percentunit",
            empty=NO_TRAFFIC,
            steps=ERRORS,
        ),
        Panel(
            "lines",
            "Latency by version, p95",
            "Time that 95 % of the exchanges did not exceed, of each version.",
            (Target(quantile(0.95, _DURATION, "model", "version"), "{{model}} {{version}}"),),
            unit="s",
            empty=NO_TRAFFIC,
        ),
    ),
)
PODS = Section(
    "Pods",
    (
        Panel(
            "lines",
            "Slowest pods, p95",
            f"The {_OUTLIERS} pods with the largest latency that 95 % of their exchanges did not exceed.",
            (Target(f"topk({_OUTLIERS}, {quantile(0.95, _DURATION, 'pod')})", "{{pod}}"),),
            unit="s",
            empty=NO_TRAFFIC,
        ),
        Panel(
            "lines",
            "Pods with most errors",
            f"The {_OUTLIERS} pods with the largest share of exchanges with a status 5xx or without a response.",
            (Target(f"topk({_OUTLIERS}, {errors('pod')})", "{{pod}}"),),
            unit="percentunit",
            empty=NO_TRAFFIC,
            steps=ERRORS,
        ),
        Panel(
            "lines",
            "Busiest pods",
            f"The {_OUTLIERS} pods with most exchanges per second; a large difference means uneven load.",
            (Target(f"topk({_OUTLIERS}, {total(of_model(rate('pilotfish_requests_total')), 'pod')})", "{{pod}}"),),
            unit="reqps",
            empty=NO_TRAFFIC,
        ),
        Panel(
            "lines",
            "Open connections",
            "Open client connections; opaque ones are relayed without being parsed.",
            (Target(total(of_model(series("pilotfish_connections_open")), "kind"), "{{kind}}"),),
            empty="no proxy is up",
        ),
        Panel(
            "lines",
            "Unreachable upstreams",
            "Model servers that a proxy could not connect to at its last attempt, by pod.",
            (Target(total(of_model(series("pilotfish_upstreams_unreachable")), "pod"), "{{pod}}"),),
            empty="no proxy is up",
            steps=ZERO_IS_GOOD,
        ),
        Panel(
            "lines",
            "Time until a pod is ready",
            "Time from the creation of a pod until it was ready: the cold start that a scale-up waits for.",
            (
                Target(
                    of_model(
                        f"(max by (namespace, pod) ({series('kube_pod_status_ready_time')})"
                        f" - max by (namespace, pod) ({series('kube_pod_created')}))"
                    ),
                    "{{pod}}",
                ),
            ),
            unit="s",
            empty="no kube-state-metrics",
        ),
    ),
)
