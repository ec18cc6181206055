"""Checks beyond types: impossible combinations are problems, settings without effect are warnings.

`load` calls `find_problems` and refuses the document; `pilotfish check` and `/readyz` show the warnings.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from ..errors import hide_path, quote_value
from .decoding import decode_problems, template_problems
from .document import Drift, Feedback, ModelMonitor, Spec
from .errors import DocumentProblem
from .places import cluster_only_problems, retrain_targets, webhooks
from .resources import Resources
from .retraining import Retrain
from .scaling import LatencySignal, Scaling, signal_id
from .streams import detector_problem, parse_stream
from .traffic import Traffic
from .units import show_duration, show_size
from .webhooks import CREDENTIALS, Notify, Webhook, receiver_id, url_problem

SHORTEST_TICK = 0.1
LONGEST_TICK = 86400.0
FEWEST_TICKS = 20  # per allowed false alarm; with fewer, the threshold would be meaningless
SMALLEST_BODY, LARGEST_BODY = 1024, 32 * 1024 * 1024
SMALLEST_STORE, LARGEST_STORE = 1024 * 1024, 4 * 1024**3
LONGEST_TIMEOUT = 300.0
LONGEST_BLIND_FOR = 86400.0
SHORTEST_KEEP, LONGEST_KEEP = 1.0, 90 * 86400.0
LONGEST_COOLDOWN, LONGEST_HOLD = 86400.0, 7 * 86400.0
SHORTEST_INTERVAL, LONGEST_INTERVAL = 5.0, 300.0
LONGEST_SMOOTHING = 300.0
SHORTEST_DEADLINE, LONGEST_START = 60.0, 6 * 3600.0
SHORTEST_HALF_LIFE, LONGEST_HALF_LIFE = 600.0, 28 * 86400.0
SHORTEST_PERIOD, LONGEST_PERIOD = 3600.0, 28 * 86400.0
QUANTILES = (0.5, 0.95, 0.99)  # of the latency that the sidecars send
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def find_problems(monitor: ModelMonitor, *, cluster: bool = True) -> Iterator[DocumentProblem]:
    """Yield a problem for each impossible combination and, outside of a `cluster`, for each setting that needs one."""
    spec = monitor.spec
    if not cluster:
        yield from cluster_only_problems(spec)
    yield from _traffic(spec.traffic)
    yield from _profiles(spec)
    yield from _stores(spec)
    yield from _drift(spec.drift)
    yield from _feedback(spec.feedback)
    if spec.scaling:
        yield from _scaling(spec.scaling)
    if spec.resources:
        yield from _resources(spec.resources)
    if spec.retrain:
        yield from _retrain(spec.retrain)
    for name in ("scaling", "resources") if cluster else ():
        if getattr(spec, name) and not spec.target_ref:
            yield DocumentProblem(f"$.spec.{name}", "needs a workload", "give spec.targetRef, or leave the block out")
    for path, webhook in webhooks(spec):
        yield from _webhook(webhook, f"$.{path}")
    yield from _receivers(spec.notify)


def find_warnings(monitor: ModelMonitor, *, cluster: bool = False) -> Iterator[str]:
    """Yield a warning for each valid setting that has no effect here, or an unexpected one."""
    spec = monitor.spec
    if cluster and any(source.learn for source in spec.profiles):
        yield "spec.profiles: with learn, each pod has its own profile; use configMap to add the counts of all pods"
    decode = spec.traffic.decode
    if decode is not None and decode.predictions is None and not decode.prediction_columns:
        yield "spec.traffic.decode reads no predictions: give predictions, or predictionColumns"
    if not spec.profiles:
        yield "spec.profiles is empty: Pilotfish measures the traffic but not drift"
    elif spec.model.version and not {"", spec.model.version} & {source.version for source in spec.profiles}:
        yield f"no profile matches version {spec.model.version}: Pilotfish measures the traffic but not drift"
    yield from _retrain_warnings(spec)
    for path, webhook in webhooks(spec):
        yield from _webhook_warnings(path, webhook)


def ticks_per_false_alarm(drift: Drift) -> float:
    """Return the threshold: the minimum mean number of ticks between two false alarms."""
    return drift.false_alarms.per / drift.tick / drift.false_alarms.count


def _retrain_warnings(spec: Spec) -> Iterator[str]:
    if not spec.retrain:
        return
    mode = spec.retrain.mode or spec.mode
    if mode != "act":
        outcome = "recorded but not sent" if mode == "recommend" else "neither recorded nor sent"
        yield f"mode is {mode}: a retraining is {outcome}"


def _webhook_warnings(path: str, webhook: Webhook) -> Iterator[str]:
    if not webhook.secret_ref and not webhook.secret_file and getattr(webhook, "format", "generic") == "generic":
        yield f"{path} has no secret: the receiver cannot verify the sender; give secretFile"
    address = urlsplit(webhook.url or "")
    if address.scheme == "http" and address.hostname not in LOOPBACK:
        yield f"{path}.url is http: others can read and change events in transit; give https"


def _traffic(traffic: Traffic) -> Iterator[DocumentProblem]:
    path = "$.spec.traffic"
    if not SMALLEST_BODY <= traffic.body_limit <= LARGEST_BODY:
        bounds = f"{show_size(SMALLEST_BODY)} to {show_size(LARGEST_BODY)}"
        yield DocumentProblem(f"{path}.bodyLimit", f"is {show_size(traffic.body_limit)}", f"give {bounds}")
    for name in ("routes", "probes"):
        yield from template_problems(getattr(traffic, name), f"{path}.{name}")
    yield from decode_problems(traffic)


def _profiles(spec: Spec) -> Iterator[DocumentProblem]:
    seen: dict[str, int] = {}
    for index, source in enumerate(spec.profiles):
        path = f"$.spec.profiles[{index}]"
        sources = [name for name in ("path", "config_map", "url", "learn") if getattr(source, name) is not None]
        if len(sources) != 1:
            yield DocumentProblem(
                path, f"names {len(sources)} sources", "give exactly one of path, configMap, url and learn"
            )
        if source.version in seen:
            what = f"is the second profile for version {quote_value(source.version)}"
            yield DocumentProblem(path, what, f"keep this one or $.spec.profiles[{seen[source.version]}]")
        seen.setdefault(source.version, index)
        if source.url is not None:
            yield from _url(source.url, f"{path}.url", ("https",))


def _stores(spec: Spec) -> Iterator[DocumentProblem]:
    """Yield the problems of the size limits of rows on disk."""
    found = [(f"$.spec.profiles[{index}].learn", source.learn) for index, source in enumerate(spec.profiles)]
    for path, store in (*found, ("$.spec.traffic.keepRows", spec.traffic.keep_rows)):
        if store is not None and not SMALLEST_STORE <= store.bytes <= LARGEST_STORE:
            bounds = f"{show_size(SMALLEST_STORE)} to {show_size(LARGEST_STORE)}"
            yield DocumentProblem(f"{path}.bytes", f"is {show_size(store.bytes)}", f"give {bounds}")


def _drift(drift: Drift) -> Iterator[DocumentProblem]:
    path = "$.spec.drift"
    if not SHORTEST_TICK <= drift.tick <= LONGEST_TICK:
        bounds = f"{show_duration(SHORTEST_TICK)} to {show_duration(LONGEST_TICK)}"
        yield DocumentProblem(f"{path}.tick", f"is {show_duration(drift.tick)}", f"give {bounds}")
        return
    ticks = ticks_per_false_alarm(drift)
    if ticks < FEWEST_TICKS:
        what = f"allows a false alarm every {ticks:g} ticks"
        yield DocumentProblem(
            f"{path}.falseAlarms",
            what,
            f"give a longer per, a smaller count or a shorter tick, for at least {FEWEST_TICKS} ticks",
        )
    yield from _detectors(drift)
    try:
        ZoneInfo(drift.timezone)
    except (OSError, ValueError, LookupError):
        remedy = "give a name of the IANA database, such as Europe/Berlin"
        yield DocumentProblem(f"{path}.timezone", f"is {quote_value(drift.timezone)}, which is not known", remedy)
    for name, feature in drift.features.items():
        if feature.ignore and feature.tolerance is not None:
            yield DocumentProblem(f"{path}.features.{name}", "is ignored and has a tolerance", "keep one of them")


def _feedback(feedback: Feedback) -> Iterator[DocumentProblem]:
    yield from _bounded("$.spec.feedback.keep", feedback.keep, SHORTEST_KEEP, LONGEST_KEEP)


def _detectors(drift: Drift) -> Iterator[DocumentProblem]:
    seen: dict[tuple[str, str], int] = {}
    for index, detector in enumerate(drift.detectors):
        path = f"$.spec.drift.detectors[{index}]"
        what, remedy = detector_problem(detector.type, detector.parameters)
        if what:
            yield DocumentProblem(path, what, remedy)
        try:
            parse_stream(detector.stream)
        except ValueError as error:
            yield DocumentProblem(f"{path}.stream", f"is {quote_value(detector.stream)}", str(error))
        first = seen.setdefault((detector.type, detector.stream), index)
        if first != index:
            yield DocumentProblem(path, "is of the same type and stream as another", f"keep it or detectors[{first}]")


def _scaling(scaling: Scaling) -> Iterator[DocumentProblem]:
    path = "$.spec.scaling"
    if scaling.min_replicas > scaling.max_replicas:
        what = f"is {scaling.min_replicas}, more than maxReplicas, {scaling.max_replicas}"
        yield DocumentProblem(f"{path}.minReplicas", what, "give a smaller minReplicas or a larger maxReplicas")
    if not scaling.signals:
        yield DocumentProblem(f"{path}.signals", "is empty", "give a signal such as {type: concurrency, target: 8}")
    elif all(isinstance(signal, LatencySignal) for signal in scaling.signals):
        remedy = "add a signal of the load, such as {type: concurrency, target: 8}"
        yield DocumentProblem(f"{path}.signals", "has the type latency only, which is a gate", remedy)
    seen: dict[str, int] = {}
    for index, signal in enumerate(scaling.signals):
        first = seen.setdefault(signal_id(signal), index)
        if first != index:
            what = f"is the second signal {signal_id(signal)}"
            yield DocumentProblem(f"{path}.signals[{index}]", what, f"keep this one or signals[{first}]")
        if isinstance(signal, LatencySignal) and signal.quantile not in QUANTILES:
            remedy = f"give one of {', '.join(map(str, QUANTILES))}"
            yield DocumentProblem(f"{path}.signals[{index}].quantile", f"is {signal.quantile:g}", remedy)
    for name, value, least, most in (
        ("interval", scaling.interval, SHORTEST_INTERVAL, LONGEST_INTERVAL),
        ("smoothing", scaling.smoothing, 0.0, LONGEST_SMOOTHING),
        ("manualHold", scaling.manual_hold, 0.0, LONGEST_HOLD),
        ("cooldown", scaling.cooldown, 0.0, LONGEST_COOLDOWN),
        ("coldStart.assumed", scaling.cold_start.assumed, 0.0, LONGEST_START),
        ("coldStart.deadline", scaling.cold_start.deadline, SHORTEST_DEADLINE, LONGEST_START),
        ("forecast.period", scaling.forecast.period, SHORTEST_PERIOD, LONGEST_PERIOD),
    ):
        yield from _bounded(f"{path}.{name}", value, least, most)


def _retrain(retrain: Retrain) -> Iterator[DocumentProblem]:
    if ("alert" in retrain.causes) != bool(retrain.alerts):
        what, remedy = "is empty, and causes has alert", "name alerts, or remove alert from causes"
        if retrain.alerts:
            what, remedy = "has names, but causes does not contain alert", "add alert to causes, or remove the names"
        yield DocumentProblem("$.spec.retrain.alerts", what, remedy)
    found = retrain_targets(retrain)
    if len(found) != 1:
        names = ", ".join(found) or "no receiver"
        remedy = "give exactly one of webhook, job, argoWorkflow and tektonPipelineRun"
        yield DocumentProblem("$.spec.retrain", f"has {names}", remedy)


def _resources(resources: Resources) -> Iterator[DocumentProblem]:
    path = "$.spec.resources"
    if resources.cpu is None and resources.memory is None:
        yield DocumentProblem(path, "bounds neither cpu nor memory", "give at least one of them")
    for name in ("cpu", "memory"):
        bounds = getattr(resources, name)
        if bounds is not None:
            yield from _bounded(f"{path}.{name}.halfLife", bounds.half_life, SHORTEST_HALF_LIFE, LONGEST_HALF_LIFE)
        if bounds is not None and bounds.min > bounds.max:
            yield DocumentProblem(f"{path}.{name}.min", "is more than max", "give a smaller min or a larger max")
    for name in ("latency", "pool"):
        if getattr(resources, name) is not None and resources.cpu is None:
            yield DocumentProblem(f"{path}.{name}", "changes the CPU only", "give cpu, or remove it")
    if resources.pool is not None and resources.method != "inPlace":
        remedy = "remove it, or give the method inPlace"
        yield DocumentProblem(f"{path}.pool", "moves CPU between running pods", remedy)
    if resources.latency is not None and resources.latency.quantile not in QUANTILES:
        remedy = f"give one of {', '.join(map(str, QUANTILES))}"
        yield DocumentProblem(f"{path}.latency.quantile", f"is {resources.latency.quantile:g}", remedy)
    for name, value, least, most in (
        ("interval", resources.interval, SHORTEST_INTERVAL, LONGEST_INTERVAL),
        ("cooldown", resources.cooldown, 0.0, LONGEST_COOLDOWN),
        ("minHistory", resources.min_history, 0.0, LONGEST_HOLD),
    ):
        yield from _bounded(f"{path}.{name}", value, least, most)
    if resources.memory is not None:
        yield from _bounded(f"{path}.memory.afterOomKill", resources.memory.after_oom_kill, 0.0, LONGEST_HOLD)


def _bounded(path: str, value: float, least: float, most: float) -> Iterator[DocumentProblem]:
    """Yield a problem if the duration `value` is outside of its bounds."""
    if not least <= value <= most:
        remedy = f"give {show_duration(least)} to {show_duration(most)}"
        yield DocumentProblem(path, f"is {show_duration(value)}", remedy)


def _receivers(receivers: tuple[Notify, ...]) -> Iterator[DocumentProblem]:
    seen: dict[str, int] = {}
    for index, item in enumerate(receivers):
        path = f"$.spec.notify[{index}]"
        first = seen.setdefault(receiver_id(item), index)
        if first != index:
            what = "has the same name" if item.name else "has the same address and no name"
            yield DocumentProblem(path, f"{what} as notify[{first}]", "give each receiver a name of its own")
        yield from _bounded(f"{path}.blindFor", item.blind_for, 0.0, LONGEST_BLIND_FOR)


def _webhook(webhook: Webhook, path: str) -> Iterator[DocumentProblem]:
    sources = {"url": webhook.url, "urlFile": webhook.url_file, "urlSecretRef": webhook.url_secret_ref}
    found = [name for name, value in sources.items() if value is not None]
    if len(found) != 1:
        what = f"has {' and '.join(found) or 'no url'}"
        yield DocumentProblem(path, what, "give exactly one of url, urlFile and urlSecretRef")
    elif webhook.url is not None:
        yield from _url(webhook.url, f"{path}.url", ("http", "https"))
    if webhook.secret_ref and webhook.secret_file:
        yield DocumentProblem(path, "has secretRef and secretFile", "keep one of them")
    if webhook.content_mode == "binary" and getattr(webhook, "format", "generic") != "generic":
        what = f"is binary, and format is {getattr(webhook, 'format', '')}"
        yield DocumentProblem(f"{path}.contentMode", what, "remove it; a CloudEvent has the format generic")
    if not 0 < webhook.timeout <= LONGEST_TIMEOUT:
        what = f"is {show_duration(webhook.timeout)}"
        yield DocumentProblem(
            f"{path}.timeout", what, f"give more than 0s and at most {show_duration(LONGEST_TIMEOUT)}"
        )


def _url(url: str, path: str, schemes: tuple[str, ...]) -> Iterator[DocumentProblem]:
    what = url_problem(url, schemes)
    if what == CREDENTIALS:
        yield DocumentProblem(path, what, "remove it; give the secret in a separate file")
    elif what:
        remedy = f"give an address such as {schemes[-1]}://trainer.example/hooks/7"
        yield DocumentProblem(path, f"is {quote_value(hide_path(url))}", remedy)
