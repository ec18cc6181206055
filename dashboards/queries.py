"""PromQL in pieces: selectors, rates, the join with the model of a pod, quantiles.

Metrics of a pod about its traffic have no label for the model. `pilotfish_model_info` has model and version, and
Prometheus adds namespace and pod to every series, so `of_model` joins on these two.

In a cluster, the controller exports results of detection with the labels `monitor` and `version`; elsewhere, each
sidecar exports its own, without these labels. `results` prefers the controller's.
"""

from __future__ import annotations

from collections.abc import Callable

PODS = 'namespace=~"$namespace", pod=~"$pod"'
SELECTED = 'namespace=~"$namespace", model=~"$model", version=~"$version"'
MODEL_PODS = f'topk by (namespace, pod) (1, pilotfish_model_info{{monitor="", {SELECTED}, pod=~"$pod"}})'
OF_CONTROLLER, OF_PODS = 'monitor!=""', 'monitor=""'
LEAST_EVIDENCE = 1e-06
FAILED = 'code=~"5xx|none"'
OBJECTIVE_WINDOW = "1h"  # of the error-budget burn: long enough for a ratio, short enough for a page


def series(metric: str, *matchers: str, scope: str = PODS) -> str:
    """Return a selector of `metric` in the selected namespaces and pods, with further `matchers`."""
    return f"{metric}{{{', '.join((scope, *matchers))}}}"


def grown(metric: str, *matchers: str, window: str = "$__rate_interval", scope: str = PODS) -> str:
    """Return how much a counter of rare events grew within `window`."""
    return growth(series(metric, *matchers, scope=scope), window)


def growth(selector: str, window: str = "$__rate_interval") -> str:
    """Return how much the selected counters grew within `window`, as whole numbers.

    `increase` extrapolates, and misses the first event of a series that began with it. A reset counts as nothing.
    """
    now = f"last_over_time({selector}[{window}])"
    return f"clamp_min({now} - (last_over_time({selector}[{window}] offset {window}) or {now} * 0), 0)"


def evidence(vector: str) -> str:
    """Return evidence within the bounds that a logarithmic axis shows; an alarm is raised at 1."""
    return f"clamp({vector}, {LEAST_EVIDENCE}, 100)"


def equal(label: str, value: str) -> str:
    """Return a matcher."""
    return f'{label}="{value}"'


def rate(metric: str, *matchers: str, window: str = "$__rate_interval", scope: str = PODS) -> str:
    """Return the rate per second of a counter in the selected pods."""
    return f"rate({series(metric, *matchers, scope=scope)}[{window}])"


def of_model(vector: str) -> str:
    """Return `vector`, restricted to the pods of the selected models and versions, with the labels of both."""
    return f"{vector} * on (namespace, pod) group_left (model, version) {MODEL_PODS}"


def total(vector: str, *by: str) -> str:
    """Return the sum of `vector` by labels, or over everything."""
    return f"sum by ({', '.join(by)}) ({vector})" if by else f"sum({vector})"


def largest(vector: str, *by: str) -> str:
    """Return the maximum of `vector` by labels, or over everything."""
    return f"max by ({', '.join(by)}) ({vector})" if by else f"max({vector})"


def mean(vector: str, *by: str) -> str:
    """Return the mean of `vector` by labels."""
    return f"avg by ({', '.join(by)}) ({vector})"


def smallest(vector: str, *by: str) -> str:
    """Return the minimum of `vector` by labels."""
    return f"min by ({', '.join(by)}) ({vector})"


def worst_pods(vector: str) -> str:
    """Return the ten pods with the largest value."""
    return f"topk(10, {largest(vector, 'namespace', 'pod')})"


def ratio(part: str, whole: str) -> str:
    """Return `part / whole`, and nothing where `whole` is zero: 0 / 0 would be NaN."""
    return f"({part}) / ({whole} > 0)"


def errors(*by: str, window: str = "$__rate_interval") -> str:
    """Return the share of requests of the selected models that failed: status 5xx, or no response."""
    failed = total(of_model(rate("pilotfish_requests_total", FAILED, window=window)), *by)
    every = total(of_model(rate("pilotfish_requests_total", window=window)), *by)
    none = f"{every} * 0"  # a model without a failed request has no series of that code
    return ratio(f"{failed} or {none}", every)


def quantile(share: float, metric: str, *by: str, matchers: tuple[str, ...] = ()) -> str:
    """Return a quantile of a histogram over the selected models, by labels."""
    return quantile_of(share, metric, lambda name: of_model(rate(name, *matchers)), *by)


def quantile_of(share: float, metric: str, read: Callable[[str], str], *by: str) -> str:
    """Return a quantile of a histogram, by labels; `read` turns the name of a series into a rate.

    Prometheus has classic buckets, or one native histogram with the name of the metric. With both, buckets are read.
    """
    classic, native = total(read(f"{metric}_bucket"), "le", *by), total(read(metric), *by)
    return f"histogram_quantile({share}, {classic}) or histogram_quantile({share}, {native})"


def results(
    metric: str, *by: str, read: Callable[[str], str] = lambda found: found, combine: Callable[..., str] = largest
) -> str:
    """Return a result of detection by namespace, model, version and `by`.

    The controller's value if there is one, else that of the pods. `read` turns a selector into a vector, such as a
    rate; `combine` combines the values of several pods.
    """
    labels = ("namespace", "model", "version", *by)
    fleet = combine(read(series(metric, OF_CONTROLLER, scope=SELECTED)), *labels)
    own = combine(of_model(read(series(metric, OF_PODS))), *labels)
    return f"{fleet} or on ({', '.join(('namespace', 'model', *by))}) {own}"


def how_many(vector: str, condition: str) -> str:
    """Return how many series of `vector` meet a condition such as `== 0`: 0 if none does, nothing without a series."""
    operator, value = condition.split()
    return f"sum({vector} {operator} bool {value})"
