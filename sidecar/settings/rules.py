"""What the API server checks of a ModelMonitor beyond the form of its fields, as CEL rules by struct.

Each rule repeats a problem of validation.py, so that `kubectl apply` and `pilotfish check` refuse the same documents.
tests/settings/resources.py lists what only one of them refuses.
"""

from __future__ import annotations

from .document import Drift, FeatureDrift, Feedback, ProfileSource, Spec, StreamDetector
from .resources import CpuRange, MemoryRange, ResizeLatency, Resources
from .retraining import Retrain
from .scaling import ColdStart, Forecast, Scaling
from .status import ModelMonitorStatus
from .streams import DETECTORS, FEATURE_MEASURES, LOSSES
from .structural import CelRule, StructuralTables
from .traffic import Decode, KeepRows, Traffic
from .units import read_duration, show_duration, show_size
from .validation import (
    FEWEST_TICKS,
    LARGEST_BODY,
    LARGEST_STORE,
    LONGEST_BLIND_FOR,
    LONGEST_COOLDOWN,
    LONGEST_HALF_LIFE,
    LONGEST_HOLD,
    LONGEST_INTERVAL,
    LONGEST_KEEP,
    LONGEST_PERIOD,
    LONGEST_SMOOTHING,
    LONGEST_START,
    LONGEST_TICK,
    LONGEST_TIMEOUT,
    QUANTILES,
    SHORTEST_DEADLINE,
    SHORTEST_HALF_LIFE,
    SHORTEST_INTERVAL,
    SHORTEST_KEEP,
    SHORTEST_PERIOD,
    SHORTEST_TICK,
    SMALLEST_BODY,
    SMALLEST_STORE,
)
from .webhooks import Notify, NotifyWebhook, Webhook

_UNITS = ("ns", "us", "ms", "s", "m", "h", "d", "w")
_VISIBLE = r"[^\s\p{Z}\x1c-\x1f\x85]"
_HOST = r"([^/?#@:\[\]\s\p{Z}\x1c-\x1f\x85]+|\[[0-9A-Fa-f:.]+(%[0-9A-Za-z._~%-]+)?\])"
_PORT = "0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
_WHOLE = "[q.asApproximateFloat()].all(n, n >= 9e18 || double(int(n)) == n)"  # isInteger is false for 1.5Mi
_LOCAL = "works in a local file only; give {} instead"


def seconds(value: str) -> str:
    """Return the CEL expression for the seconds of `value`, an expression for a duration.

    CEL reads neither days nor weeks. Of a unit that is repeated, as in 1s1s, it counts the first part only. The cost
    of each step is bounded by the length of the text; that of a loop over its parts would not be.
    """
    parts = (
        f"double('0' + {value}.find('[0-9.]+{unit}{'($|[0-9])' if unit == 'm' else ''}').find('[0-9.]+'))"
        f" * {read_duration(f'1{unit}')!r}"
        for unit in _UNITS
    )
    return f"({' + '.join(parts)})"


def _duration(field: str, least: float, most: float, *, above: bool = False) -> CelRule:
    cel = f"[{seconds(f'self.{field}')}].all(s, s {'>' if above else '>='} {least!r} && s <= {most!r})"
    shown = f"more than {show_duration(least)} and at most" if above else f"{show_duration(least)} to"
    return CelRule(cel, f"give {shown} {show_duration(most)}", field)


def _size(field: str, least: int, most: int) -> CelRule:
    compared = f"q.compareTo(quantity('{least}')) >= 0 && q.compareTo(quantity('{most}')) <= 0"
    cel = f"[quantity(string(self.{field}))].all(q, {_WHOLE} && {compared})"
    return CelRule(cel, f"give {show_size(least)} to {show_size(most)}", field)


def _url(schemes: str) -> CelRule:
    end = rf"([/?#]{_VISIBLE}*)?$"
    cel = f"!has(self.url) || self.url.matches(r'^(?i:{schemes})://{_HOST}(:({_PORT})?)?{end}')"
    return CelRule(cel, f"give an address such as {schemes.rstrip('?')}://trainer.example, without a password", "url")


def _exactly_one(message: str, *fields: str) -> CelRule:
    given = ", ".join(f"has(self.{field})" for field in fields)
    return CelRule(f"[{given}].filter(given, given).size() == 1", message)


def _ordered(words: str) -> CelRule:
    cel = "quantity(string(self.min)).compareTo(quantity(string(self.max))) <= 0"
    return CelRule(cel, f"{words} is more than max; give a smaller min or a larger max", "min")


def _given(field: str) -> str:
    return f"has(self.{field}) && size(self.{field}) > 0"


_RECEIVER = (
    "(has({0}.name) ? {0}.name : has({0}.webhook.url) ? {0}.webhook.url : has({0}.webhook.urlSecretRef)"
    " ? 'secret:' + {0}.webhook.urlSecretRef.name + '/' + {0}.webhook.urlSecretRef.key : '')"
)
_SIGNAL = "(has({0}.name) ? {0}.name : {0}.type)"
_QUANTILES = ", ".join(map(str, QUANTILES))
_TICKS = f"{seconds('self.falseAlarms.per')} / {seconds('self.tick')} / self.falseAlarms.count"

TABLES = StructuralTables(
    rules={
        CpuRange: [_ordered("the CPU in min"), _duration("halfLife", SHORTEST_HALF_LIFE, LONGEST_HALF_LIFE)],
        ColdStart: [
            _duration("assumed", 0.0, LONGEST_START),
            _duration("deadline", SHORTEST_DEADLINE, LONGEST_START),
        ],
        Decode: [
            CelRule(
                f"has(self.rows) != ({_given('inputColumns')})",
                "give exactly one of rows and inputColumns, such as rows: $.rows[*]",
            ),
            CelRule(
                f"!has(self.predictions) || !({_given('predictionColumns')})",
                "has both predictions and predictionColumns; keep one of them",
            ),
            CelRule("has(self.rows) || !self.oneRow", "is given without rows; remove it, or give rows", "oneRow"),
            CelRule("has(self.rows) || !has(self.names)", "is given without rows; remove it, or give rows", "names"),
            CelRule(
                "!has(self.paths) || self.paths.all(path, !path.contains('?') && !path.contains('#'))",
                "give each path alone, without a query",
                "paths",
            ),
        ],
        Drift: [
            _duration("tick", SHORTEST_TICK, LONGEST_TICK),
            CelRule(
                f"!has(self.falseAlarms) || {seconds('self.tick')} == 0.0 || {_TICKS} >= {FEWEST_TICKS:.1f}",
                f"give a longer per, a smaller count or a shorter tick, for at least {FEWEST_TICKS} ticks for each "
                "false alarm",
                "falseAlarms",
            ),
        ],
        FeatureDrift: [
            CelRule("!self.ignore || !has(self.tolerance)", "is ignored and has a tolerance; keep one of them"),
        ],
        Feedback: [_duration("keep", SHORTEST_KEEP, LONGEST_KEEP)],
        Forecast: [_duration("period", SHORTEST_PERIOD, LONGEST_PERIOD)],
        KeepRows: [_size("bytes", SMALLEST_STORE, LARGEST_STORE)],
        MemoryRange: [
            _ordered("the memory in min"),
            *(
                CelRule(f"[quantity(string(self.{field}))].all(q, {_WHOLE})", "give a whole number of bytes", field)
                for field in ("min", "max")
            ),
            _duration("afterOomKill", 0.0, LONGEST_HOLD),
            _duration("halfLife", SHORTEST_HALF_LIFE, LONGEST_HALF_LIFE),
        ],
        Notify: [_duration("blindFor", 0.0, LONGEST_BLIND_FOR)],
        ProfileSource: [
            _exactly_one("give exactly one of configMap, url and learn", "path", "configMap", "url", "learn"),
            CelRule("!has(self.path)", _LOCAL.format("configMap, url or learn"), "path"),
            _url("https"),
        ],
        NotifyWebhook: [
            CelRule(
                "self.contentMode != 'binary' || self.format == 'generic'",
                "is binary; remove it, or give the format generic",
                "contentMode",
            ),
        ],
        ResizeLatency: [
            CelRule(
                f"self.quantile in {list(QUANTILES)}",
                f"has another quantile than {_QUANTILES}; give one of them",
                "quantile",
            ),
        ],
        Resources: [
            CelRule("has(self.cpu) || has(self.memory)", "bounds neither cpu nor memory; give at least one"),
            *(
                CelRule(f"has(self.cpu) || !has(self.{field})", "changes the CPU only; give cpu, or remove it", field)
                for field in ("latency", "pool")
            ),
            CelRule(
                "!has(self.pool) || self.method == 'inPlace'",
                "moves CPU between running pods; remove it, or give the method inPlace",
                "pool",
            ),
            _duration("interval", SHORTEST_INTERVAL, LONGEST_INTERVAL),
            _duration("cooldown", 0.0, LONGEST_COOLDOWN),
            _duration("minHistory", 0.0, LONGEST_HOLD),
        ],
        Retrain: [
            CelRule(
                f"('alert' in self.causes) == ({_given('alerts')})",
                "name alerts if causes has alert, and only then",
                "alerts",
            ),
            _exactly_one(
                "give exactly one of webhook, job, argoWorkflow and tektonPipelineRun",
                "webhook",
                "job",
                "argoWorkflow",
                "tektonPipelineRun",
            ),
        ],
        Scaling: [
            CelRule(
                "self.minReplicas <= self.maxReplicas",
                "is more than maxReplicas; give a smaller minReplicas or a larger maxReplicas",
                "minReplicas",
            ),
            CelRule(
                f"{_given('signals')} && self.signals.exists(s, s.type != 'latency')",
                "gives no load; give a signal such as {type: concurrency, target: 8}",
                "signals",
            ),
            CelRule(
                "!has(self.signals) || self.signals.all(a, self.signals.exists_one(b, "
                f"{_SIGNAL.format('a')} == {_SIGNAL.format('b')}))",
                "two signals have the same type or name; keep one of them",
                "signals",
            ),
            CelRule(
                f"!has(self.signals) || self.signals.all(s, !has(s.quantile) || s.quantile in {list(QUANTILES)})",
                f"has another quantile than {_QUANTILES}; give one of them",
                "signals",
            ),
            _duration("interval", SHORTEST_INTERVAL, LONGEST_INTERVAL),
            _duration("smoothing", 0.0, LONGEST_SMOOTHING),
            _duration("manualHold", 0.0, LONGEST_HOLD),
            _duration("cooldown", 0.0, LONGEST_COOLDOWN),
        ],
        Spec: [
            CelRule(
                "!has(self.notify) || self.notify.all(a, self.notify.exists_one(b,"
                f" {_RECEIVER.format('a')} == {_RECEIVER.format('b')}))",
                "two receivers have the same name, or the same address and no name; give each a name of its own",
                "notify",
            ),
        ],
        StreamDetector: [
            CelRule(f"self.type in {sorted(DETECTORS)}", f"give one of {', '.join(sorted(DETECTORS))}", "type"),
            CelRule(
                rf"self.stream.matches(r'^((feature|prediction)\.(?s:.+)\.({'|'.join(FEATURE_MEASURES)})"
                rf"|performance\.({'|'.join(LOSSES)}))$')",
                "give feature.NAME.MEASURE, prediction.NAME.MEASURE or performance.LOSS (docs/configuration.md)",
                "stream",
            ),
        ],
        Traffic: [
            _size("bodyLimit", SMALLEST_BODY, LARGEST_BODY),
            CelRule(
                "self.protocol != 'json' || has(self.decode)",
                "is json; give decode, such as {rows: $.rows[*]}",
                "protocol",
            ),
            CelRule(
                "!has(self.decode) || self.protocol in ['auto', 'json']",
                "decode describes another form; leave it at auto, or remove decode",
                "protocol",
            ),
            *(
                CelRule(
                    f"!has(self.{field}) || self.{field}.all(path, !path.contains('?') && !path.contains('#'))",
                    "give each path alone, without a query",
                    field,
                )
                for field in ("routes", "probes")
            ),
        ],
        Webhook: [
            _exactly_one("give exactly one of url and urlSecretRef", "url", "urlFile", "urlSecretRef"),
            CelRule("!has(self.urlFile)", _LOCAL.format("url or urlSecretRef"), "urlFile"),
            CelRule("!has(self.secretFile)", _LOCAL.format("secretRef"), "secretFile"),
            _url("https?"),
            _duration("timeout", 0.0, LONGEST_TIMEOUT, above=True),
        ],
    },
    lists={
        (Decode, "paths"): "set",
        (Drift, "detectors"): ("type", "stream"),
        (ModelMonitorStatus, "conditions"): ("type",),
        (ModelMonitorStatus, "episodes"): ("id",),
        (ModelMonitorStatus, "resources"): ("container",),
        (Spec, "profiles"): ("version",),
        (Traffic, "probes"): "set",
        (Traffic, "routes"): "set",
    },
    required={Spec: ("targetRef",)},
)
