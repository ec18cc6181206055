"""ModelMonitor resources for the tests of the schema: complete ones, and one for each rule that refuses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from pilotfish.sidecar.settings.document import ModelMonitor
from pilotfish.sidecar.settings.load import parse_resource

HEAD: dict[str, Any] = {"apiVersion": "pilotfish.dev/v1alpha1", "kind": "ModelMonitor", "metadata": {"name": "delays"}}
TARGET = {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"}}

# specs without targetRef; together they use every setting that a resource can have
SPECS: dict[str, str] = {
    "json": """
  mode: act
  model: {name: delays, version: "7"}
  traffic:
    ports: [http, 8080]
    interception: move
    protocol: json
    decode: {rows: "$.rows[*]", names: $.names, oneRow: true, predictions: "$.out[*]", id: $.id, paths: ["/score/{n}"]}
    maxRecordsPerSecond: 100
    bodyLimit: 64Ki
    routes: ["/models/{name}", /a]
    probes: [/healthz]
    keepRows: {rows: 1000, bytes: 8388608, mask: [amount]}
  metrics: {features: drifted}
  prices: {gpuHour: 2.5, cpuHour: 0.04, memoryGiBHour: 0.005, kWh: 0.3, currency: USD}
  attribution: {rule: tokens, completionWeight: 4.5}
  profiles:
  - {version: "7", configMap: delays-profile}
  - {version: "8", url: "https://profiles.example:8443/m.json?a=1"}
  - {learn: {rows: 1000, bytes: 64Mi, mask: [a], missingWords: ["-"], keepWords: [NA]}}
  drift:
    tick: 10s
    falseAlarms: {count: 0.5, per: 1d12h}
    timezone: Europe/Berlin
    tolerance: 0.001
    features: {a.b: {tolerance: 0.01}, c: {ignore: true}}
    detectors:
    - {type: river.ADWIN, stream: feature.a.psi, parameters: {delta: 0.01}}
    - {type: river.ADWIN, stream: feature.b.psi}
    performance: {tolerance: 0.01}
  feedback: {keep: 7d, maxRows: 1000}
  retrain:
    causes: [drift, performance, alert]
    alerts: [ModelSlow]
    cooldown: 0s
    mode: recommend
    webhook: {url: "https://[fd00::1]/hooks", secretRef: {name: hmac, key: k}, timeout: 2.5s, contentMode: binary}
  notify:
  - {webhook: {url: "http://chat.example/x", format: slack}, name: chat, events: [alarmOpened], blindFor: 1m30s}
  - {webhook: {url: "HTTPS://other.example"}}
  - {webhook: {urlSecretRef: {name: slack, key: url}, format: slack}}
""",
    "scaled": """
  mode: recommend
  metrics: {details: all}
  scaling:
    minReplicas: 2
    maxReplicas: 8
    signals:
    - {type: concurrency, target: 8}
    - {type: latency, quantile: 0.99, target: 250ms}
    - {type: cpu, targetUtilization: 70, container: model}
    - {type: memory, targetUtilization: 80}
    - {type: requestRate, target: "0.5"}
    - {type: prometheus, name: queue, query: sum(vllm_waiting), target: 500m, targetType: value}
    behavior:
      scaleUp: &rules
        stabilizationWindowSeconds: 0
        selectPolicy: Max
        policies: [{type: Percent, value: 100, periodSeconds: 15}, {type: Pods, value: 4, periodSeconds: 15}]
        tolerance: 50m
      scaleDown: *rules
    surface: metric
    takeOwnership: true
    manualHold: 0s
    cooldown: 1m
    actionsPerHour: 12
    interval: 30s
    smoothing: 2m
    coldStart: {enabled: false, assumed: 5m, deadline: 1h}
    forecast: {enabled: false, period: 1d}
    mode: observe
  resources:
    container: model
    method: inPlace
    cpu: {min: 250m, max: 4, percentile: 0.95, margin: 0.2, raiseWhenThrottled: false, halfLife: 20m}
    memory: {min: 256Mi, max: "4Gi", percentile: 1.0, margin: 0, halfLife: 2d, afterOomKill: 0s}
    controlledValues: RequestsOnly
    allowRestart: true
    latency: {quantile: 0.99, target: 250ms}
    pool: models
    minHistory: 1h
    cooldown: 0s
    actionsPerHour: 12
    interval: 30s
    mode: act
  retrain: {job: {cronJob: train-delays}}
""",
    "columns": """
  traffic:
    decode: {inputColumns: {a: "$.a"}, predictionColumns: {b: "$.b[0]"}}
  notify:
  - name: chat
    webhook: {url: "https://a.example", secretRef: {name: hmac, key: k}, timeout: 1s, contentMode: structured}
  retrain: {webhook: {urlSecretRef: {name: trainer, key: url}}}
""",
    "argo": "{retrain: {argoWorkflow: {workflowTemplate: train, parameters: {model: '${event.data.model}'}}}}",
    "tekton": "{retrain: {tektonPipelineRun: {pipeline: train, serviceAccount: trainer, parameters: {a: b}}}}",
    "smallest": "{}",
}

SCALED = "{{scaling: {{maxReplicas: 1, signals: [{{type: memory, targetUtilization: 80}}, {}]}}}}"
TIMED = "{{scaling: {{maxReplicas: 1, signals: [{{type: memory, targetUtilization: 80}}], {}}}}}"
WEBHOOK = "url: 'https://a.example'"
# a spec without targetRef that breaks one rule of rules.py; the end of the message of the API server
REFUSED: list[tuple[str, str]] = [
    ("{traffic: {bodyLimit: 1023}}", "give 1Ki to 32Mi"),
    ("{traffic: {bodyLimit: 33Mi}}", "give 1Ki to 32Mi"),
    ("{traffic: {protocol: json}}", "is json; give decode"),
    ("{traffic: {protocol: v1, decode: {rows: $}}}", "leave it at auto"),
    ("{traffic: {routes: ['/a?b']}}", "without a query"),
    ("{traffic: {probes: ['/a#b']}}", "without a query"),
    ("{traffic: {decode: {rows: $, paths: ['/a?b']}}}", "without a query"),
    ("{traffic: {decode: {}}}", "exactly one of rows and inputColumns"),
    ("{traffic: {decode: {rows: $, inputColumns: {a: $.a}}}}", "exactly one of rows and inputColumns"),
    ("{traffic: {decode: {rows: $, predictions: $, predictionColumns: {a: $}}}}", "keep one of them"),
    ("{traffic: {decode: {inputColumns: {a: $}, oneRow: true}}}", "is given without rows"),
    ("{traffic: {decode: {inputColumns: {a: $}, names: $.n}}}", "is given without rows"),
    ("{traffic: {keepRows: {rows: 1000, bytes: 1Ki}}}", "give 1Mi to 4Gi"),
    ("{profiles: [{version: '1'}]}", "exactly one of configMap, url and learn"),
    ("{profiles: [{configMap: a, learn: {}}]}", "exactly one of configMap, url and learn"),
    ("{profiles: [{path: p.json}]}", "works in a local file only; give configMap"),
    ("{profiles: [{url: 'http://a.example'}]}", "give an address such as https://"),
    ("{profiles: [{configMap: a}, {configMap: b}]}", "Duplicate value"),
    ("{drift: {tick: 99ms}}", "give 100ms to 24h"),
    ("{drift: {tick: 1d1s}}", "give 100ms to 24h"),
    ("{drift: {tick: 1h, falseAlarms: {per: 19h}}}", "for at least 20 ticks"),
    ("{drift: {falseAlarms: {count: 3000, per: 30d}}}", "for at least 20 ticks"),
    ("{drift: {features: {a: {ignore: true, tolerance: 0.1}}}}", "keep one of them"),
    ("{drift: {detectors: [{type: river.ADWIN, stream: a}, {type: river.ADWIN, stream: a}]}}", "Duplicate value"),
    ("{drift: {detectors: [{type: ADWIN, stream: feature.a.psi}]}}", "give one of river.ADWIN"),
    ("{drift: {detectors: [{type: river.ADWIN, stream: feature.psi}]}}", "give feature.NAME.MEASURE"),
    ("{feedback: {keep: 999ms}}", "give 1s to 90d"),
    ("{feedback: {keep: 13w}}", "give 1s to 90d"),
    ("{scaling: {maxReplicas: 1, minReplicas: 2, signals: [{type: concurrency, target: 1}]}}", "more than maxReplicas"),
    ("{scaling: {maxReplicas: 1, minReplicas: 0, signals: [{type: concurrency, target: 1}]}}", "greater than or equal"),
    ("{scaling: {maxReplicas: 1}}", "gives no load; give a signal"),
    ("{scaling: {maxReplicas: 1, signals: [{type: latency, target: 1s}]}}", "gives no load; give a signal"),
    (SCALED.format("{type: concurrency, target: 0}"), "give a quantity of more than 0"),
    (SCALED.format("{type: requestRate, target: '0.0'}"), "give a quantity of more than 0"),
    (SCALED.format("{type: prometheus, name: a, query: b, target: 1s}"), "give a quantity of more than 0"),
    (SCALED.format("{type: latency, target: 8}"), "with type latency, give text"),
    (SCALED.format("{type: latency, target: 8s, quantile: 0.9}"), "has another quantile than 0.5, 0.95, 0.99"),
    (SCALED.format("{type: concurrency, target: 8, quantile: 0.5}"), "works with type latency only"),
    (SCALED.format("{type: concurrency, target: 8, name: a}"), "works with type prometheus only"),
    (SCALED.format("{type: concurrency, target: 8, query: a}"), "works with type prometheus only"),
    (SCALED.format("{type: concurrency, target: 8, targetType: value}"), "works with type prometheus only"),
    (SCALED.format("{type: concurrency, target: 8, targetUtilization: 8}"), "works with type cpu or memory only"),
    (SCALED.format("{type: concurrency, target: 8, container: a}"), "works with type cpu or memory only"),
    (SCALED.format("{type: cpu, targetUtilization: 8, target: 8}"), "works with type concurrency or latency or"),
    (SCALED.format("{type: cpu}"), "is required with type cpu or memory"),
    (SCALED.format("{type: latency}"), "is required with type concurrency or latency or prometheus or requestRate"),
    (SCALED.format("{type: prometheus, name: a, target: 1}"), "is required with type prometheus"),
    (SCALED.format("{type: prometheus, query: a, target: 1}"), "is required with type prometheus"),
    (SCALED.format("{type: memory, targetUtilization: 8}"), "the same type or name"),
    (SCALED.format("{type: prometheus, name: memory, query: a, target: 1}"), "the same type or name"),
    (TIMED.format("interval: 4s"), "give 5s to 5m"),
    (TIMED.format("smoothing: 6m"), "give 0s to 5m"),
    (TIMED.format("manualHold: 8d"), "give 0s to 7d"),
    (TIMED.format("cooldown: 25h"), "give 0s to 24h"),
    (TIMED.format("coldStart: {assumed: 7h}"), "give 0s to 6h"),
    (TIMED.format("coldStart: {deadline: 1s}"), "give 60s to 6h"),
    (TIMED.format("forecast: {period: 29d}"), "give 1h to 28d"),
    ("{resources: {container: a}}", "bounds neither cpu nor memory"),
    ("{resources: {container: a, cpu: {min: 1001m, max: 1}}}", "the CPU in min is more than max"),
    ("{resources: {container: a, memory: {min: 1Gi, max: 1G}}}", "the memory in min is more than max"),
    ("{resources: {container: a, memory: {min: 100m, max: 1Gi}}}", "a whole number of bytes"),
    ("{resources: {container: a, memory: {min: 1, max: 1500m}}}", "a whole number of bytes"),
    ("{resources: {container: a, memory: {max: 249Mi}}}", "the memory in min is more than max"),
    ("{resources: {container: a, memory: {max: 1Gi}, latency: {target: 1s}}}", "changes the CPU only; give cpu"),
    ("{resources: {container: a, memory: {max: 1Gi}, pool: a}}", "changes the CPU only; give cpu"),
    ("{resources: {container: a, method: rollout, cpu: {max: 1}, pool: a}}", "or give the method inPlace"),
    ("{resources: {container: a, cpu: {max: 1}, latency: {target: 1s, quantile: 0.9}}}", "another quantile than"),
    ("{resources: {container: a, memory: {max: 1Gi, afterOomKill: 8d}}}", "give 0s to 7d"),
    ("{resources: {container: a, cpu: {max: 1, halfLife: 9m}}}", "give 10m to 28d"),
    ("{resources: {container: a, memory: {max: 1Gi, halfLife: 29d}}}", "give 10m to 28d"),
    ("{resources: {container: a, cpu: {max: 1}, interval: 4s}}", "give 5s to 5m"),
    ("{resources: {container: a, cpu: {max: 1}, minHistory: 8d}}", "give 0s to 7d"),
    ("{resources: {container: a, cpu: {max: 1}, cooldown: 25h}}", "give 0s to 24h"),
    ("{retrain: {}}", "exactly one of webhook, job"),
    (f"{{retrain: {{job: {{cronJob: a}}, webhook: {{{WEBHOOK}}}}}}}", "exactly one of webhook, job"),
    ("{retrain: {causes: [alert], job: {cronJob: a}}}", "name alerts if causes has alert"),
    ("{retrain: {alerts: [a], job: {cronJob: a}}}", "name alerts if causes has alert"),
    ("{retrain: {webhook: {}}}", "give exactly one of url and urlSecretRef"),
    ("{retrain: {webhook: {urlFile: a}}}", "works in a local file only; give url or urlSecretRef"),
    (f"{{retrain: {{webhook: {{{WEBHOOK}, secretFile: a}}}}}}", "works in a local file only; give secretRef"),
    ("{retrain: {webhook: {url: 'https://me:pass@a.example'}}}", "without a password"),
    ("{retrain: {webhook: {url: 'https://a.example:65536'}}}", "give an address such as http"),
    ("{retrain: {webhook: {url: 'https://'}}}", "give an address such as http"),
    ("{retrain: {webhook: {url: 'https://a.example/ b'}}}", "give an address such as http"),
    (f"{{retrain: {{webhook: {{{WEBHOOK}, timeout: 0s}}}}}}", "give more than 0s and at most 5m"),
    (f"{{retrain: {{webhook: {{{WEBHOOK}, timeout: 5m1s}}}}}}", "give more than 0s and at most 5m"),
    (f"{{notify: [{{webhook: {{{WEBHOOK}, format: slack, contentMode: binary}}}}]}}", "give the format generic"),
    (f"{{notify: [{{webhook: {{{WEBHOOK}}}, blindFor: 25h}}]}}", "give 0s to 24h"),
    (f"{{notify: [{{webhook: {{{WEBHOOK}}}}}, {{webhook: {{{WEBHOOK}}}}}]}}", "a name of its own"),
    (
        "{notify: [{webhook: {urlSecretRef: {name: a}}}, {webhook: {urlSecretRef: {name: a, key: key}}}]}",
        "a name of its own",
    ),
    (
        f"{{notify: [{{name: a, webhook: {{{WEBHOOK}}}}}, {{name: a, webhook: {{url: 'https://b.example'}}}}]}}",
        "a name of its own",
    ),
]


def resource(spec: str) -> dict[str, Any]:
    """Return a resource with `spec`, a text of SPECS or REFUSED."""
    return {**HEAD, "spec": {**TARGET, **yaml.safe_load(spec)}}


def parsed(body: Mapping[str, Any]) -> ModelMonitor:
    """Return `body`, an object of the API server, as the controller reads it; raise SettingsError."""
    document = {key: value for key, value in body.items() if key != "status"}
    return parse_resource(json.dumps(document).encode(), "default/delays")
