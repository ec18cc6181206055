from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.settings.document import ModelMonitor
from pilotfish.sidecar.settings.errors import DocumentProblem, SettingsError
from pilotfish.sidecar.settings.load import load, parse, parse_resource
from pilotfish.sidecar.settings.scaling import ConcurrencySignal, LatencySignal
from pilotfish.sidecar.settings.schema import json_schema
from pilotfish.sidecar.settings.validation import find_warnings, ticks_per_false_alarm

HEAD = "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: delays}\n"
WHOLE = (
    HEAD
    + """\
spec:
  mode: recommend
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: delays}
  model: {name: delays, version: "7"}
  traffic: {ports: [http, 8080], protocol: auto, maxRecordsPerSecond: 2000, bodyLimit: 1Mi}
  profiles: [{version: "7", configMap: delays-profile}]
  drift:
    tick: 60s
    falseAlarms: {count: 1, per: 30d}
    tolerance: 0.0025
    features: {a.b: {tolerance: 0.01}, c: {ignore: true}}
  scaling:
    minReplicas: 1
    maxReplicas: 8
    signals: [{type: concurrency, target: 8}, {type: latency, quantile: 0.95, target: 250ms}]
    behavior: {scaleDown: {stabilizationWindowSeconds: 300}}
  resources: {container: model, method: inPlace, cpu: {min: 250m, max: "4"}, memory: {min: 256Mi, max: 4Gi}}
  retrain:
    causes: [drift, performance]
    cooldown: 24h
    webhook: {url: https://trainer.example/hooks/delays, secretRef: {name: retrain-hmac, key: key}}
status: {conditions: []}
"""
)


def spec(text: str) -> ModelMonitor:
    return parse(f"{HEAD}spec: {text}\n".encode(), "monitor.yaml", {})


def problems(raw: str | bytes) -> list[DocumentProblem]:
    with pytest.raises(SettingsError) as caught:
        parse(raw if isinstance(raw, bytes) else raw.encode(), "monitor.yaml", {})
    assert str(caught.value).startswith("monitor.yaml: ")
    return list(caught.value.problems)


def only_problem(text: str) -> DocumentProblem:
    (problem,) = problems(f"{HEAD}spec: {text}\n")
    return problem


def test_a_complete_document_is_parsed_into_seconds_bytes_and_cores() -> None:
    found = parse(WHOLE.encode(), "monitor.yaml", {}).spec
    assert found.drift.tick == 60.0
    assert found.drift.false_alarms.per == 30 * 86400
    assert found.traffic.body_limit == 1024 * 1024
    assert found.traffic.ports == ("http", 8080)
    assert found.scaling is not None
    assert found.scaling.signals == (ConcurrencySignal(target=8.0), LatencySignal(target=0.25, quantile=0.95))
    assert found.resources is not None
    assert found.resources.cpu is not None
    assert found.resources.memory is not None
    assert (found.resources.cpu.min, found.resources.memory.max) == (0.25, 4 * 1024**3)
    assert found.retrain is not None
    assert found.retrain.causes == ("drift", "performance")
    assert found.drift.features["a.b"].tolerance == 0.01
    assert ticks_per_false_alarm(found.drift) == 43_200


def test_only_the_name_is_required() -> None:
    found = parse(HEAD.encode(), "monitor.yaml", {}).spec
    assert (found.mode, found.drift.tolerance, found.profiles, found.retrain) == ("recommend", 0.0025, (), None)


def test_yaml_and_json_give_the_same_document() -> None:
    tree = yaml.safe_load(WHOLE)
    assert parse(json.dumps(tree).encode(), "x.json", {}) == parse(WHOLE.encode(), "x.yaml", {})


@pytest.mark.parametrize(
    ("text", "path", "what", "remedy"),
    [
        ("{trafic: {}}", "$.spec.trafic", "is not a known key", "did you mean traffic?"),
        ("{xyzzy: 1}", "$.spec.xyzzy", "is not a known key", "known here: mode, targetRef"),
        ("{mode: acting}", "$.spec.mode", "is 'acting'", "observe, recommend, act; did you mean act?"),
        ("{mode: [act]}", "$.spec.mode", "is ['act']", "give one of observe"),
        ("{model: {version: 7}}", "$.spec.model.version", "is 7", "text in quotes, on one line"),
        ("{drift: {tick: 60}}", "$.spec.drift.tick", "is 60", 'such as "250ms"'),
        ("{drift: {tick: 60 s}}", "$.spec.drift.tick", "is '60 s'", 'such as "250ms"'),
        ("{drift: {tick: 1ms}}", "$.spec.drift.tick", "is 1ms", "100ms to 24h"),
        ("{drift: {tolerance: '0.1'}}", "$.spec.drift.tolerance", "is '0.1'", "a number without quotes"),
        ("{drift: {tolerance: .nan}}", "$.spec.drift.tolerance", "is '.nan'", "a number"),
        ("{drift: {tolerance: 1e999}}", "$.spec.drift.tolerance", "is inf", "a number"),
        ("{drift: {falseAlarms: {count: 0}}}", "$.spec.drift.falseAlarms.count", "is 0", "more than 0"),
        ("{drift: {falseAlarms: {count: true}}}", "$.spec.drift.falseAlarms.count", "is True", "a number"),
        ("{drift: {falseAlarms: {per: 5m}}}", "$.spec.drift.falseAlarms", "every 5 ticks", "a longer per"),
        ("{drift: {features: {a: {ignore: yes}}}}", "$.spec.drift.features.a.ignore", "is 'yes'", "true or false"),
        (
            "{drift: {features: {a: {ignore: true, tolerance: 0.1}}}}",
            "$.spec.drift.features.a",
            "is ignored and has a tolerance",
            "keep one",
        ),
        ("{traffic: {bodyLimit: 1MiB}}", "$.spec.traffic.bodyLimit", "is '1MiB'", '"512Ki"'),
        ("{traffic: {bodyLimit: 1Gi}}", "$.spec.traffic.bodyLimit", "is 1Gi", "1Ki to 32Mi"),
        ("{traffic: {maxRecordsPerSecond: 1.5}}", "$.spec.traffic.maxRecordsPerSecond", "is 1.5", "a whole number"),
        ("{traffic: {routes: /score}}", "$.spec.traffic.routes", "is '/score'", "give a list: ['/score']"),
        ("{traffic: {routes: [score]}}", "$.spec.traffic.routes[0]", "is 'score'", "starting with /"),
        ("{traffic: {routes: ['/a?b=1']}}", "$.spec.traffic.routes[0]", "is '/a?b=1'", "without a query"),
        ("{traffic: {probes: [/a, /a]}}", "$.spec.traffic.probes[1]", "appears twice", "keep one"),
        ("{traffic: {protocol: json}}", "$.spec.traffic.protocol", "is json without", "decode: {rows"),
        ("{traffic: {protocol: v1, decode: {rows: $}}}", "$.spec.traffic.protocol", "is v1, and", "leave it at auto"),
        ("{traffic: {decode: {}}}", "$.spec.traffic.decode", "neither rows nor inputColumns", "exactly one"),
        ("{traffic: {decode: $.rows}}", "$.spec.traffic.decode", "is '$.rows'", "an object with rows"),
        (
            "{traffic: {decode: {rows: $, row: $}}}",
            "$.spec.traffic.decode.row",
            "not a known key",
            "did you mean rows?",
        ),
        ("{traffic: {decode: {rows: 1}}}", "$.spec.traffic.decode.rows", "is 1", "text in quotes"),
        ("{traffic: {decode: {rows: ''}}}", "$.spec.traffic.decode.rows", "is ''", "length at least 1"),
        ("{traffic: {decode: {rows: rows}}}", "$.spec.traffic.decode.rows", "does not start with $", "$.rows[*]"),
        ("{traffic: {decode: {rows: $..a}}}", "$.spec.traffic.decode.rows", "a descendant", "name every key"),
        (
            "{traffic: {decode: {rows: $, inputColumns: {a: $.a}}}}",
            "$.spec.traffic.decode",
            "both rows and inputColumns",
            "exactly one",
        ),
        (
            "{traffic: {decode: {rows: $, predictions: $, predictionColumns: {a: $.a}}}}",
            "$.spec.traffic.decode",
            "both predictions and predictionColumns",
            "keep one",
        ),
        (
            "{traffic: {decode: {inputColumns: {a: $.a-b}}}}",
            "$.spec.traffic.decode.inputColumns.a",
            "'$.a-b', with a character that a key after a dot cannot have at character 4",
            "write the key as ['my-key']",
        ),
        (
            "{traffic: {decode: {inputColumns: {a: $}, oneRow: true}}}",
            "$.spec.traffic.decode.oneRow",
            "without rows",
            "give rows",
        ),
        (
            "{traffic: {decode: {inputColumns: {a: $}, names: $.n}}}",
            "$.spec.traffic.decode.names",
            "without rows",
            "give rows",
        ),
        ("{traffic: {decode: {rows: $, id: '$[*].id'}}}", "$.spec.traffic.decode.id", "one id", "without [*]"),
        ("{traffic: {decode: {rows: $, paths: [/a, /a]}}}", "$.spec.traffic.decode.paths[1]", "twice", "keep one"),
        (
            "{traffic: {decode: {rows: $, paths: [/a?b]}}}",
            "$.spec.traffic.decode.paths[0]",
            "'/a?b'",
            "without a query",
        ),
        ("{profiles: [{version: '1'}]}", "$.spec.profiles[0]", "names 0 sources", "exactly one of path"),
        ("{profiles: [{path: a, url: 'https://x.example/a'}]}", "$.spec.profiles[0]", "names 2 sources", "exactly one"),
        ("{profiles: [{path: a}, {path: b}]}", "$.spec.profiles[1]", "second profile for version ''", "profiles[0]"),
        ("{profiles: [{url: 'http://x.example/a'}]}", "$.spec.profiles[0].url", "is 'http:", "https://"),
        ("{scaling: {maxReplicas: 3, signals: []}}", "$.spec.scaling.signals", "is empty", "concurrency"),
        (
            "{scaling: {maxReplicas: 3, signals: [{type: latency, target: 1s}]}}",
            "$.spec.scaling.signals",
            "which is a gate",
            "add a signal of the load",
        ),
        (
            "{scaling: {maxReplicas: 3, signals: [*cpu, {type: latency, target: 1s, quantile: 0.9}]}}",
            "$.spec.scaling.signals[1].quantile",
            "is 0.9",
            "0.5, 0.95, 0.99",
        ),
        (
            "{scaling: {maxReplicas: 3, signals: [*cpu, {type: prometheus, name: cpu, query: a, target: 1}]}}",
            "$.spec.scaling.signals[1]",
            "is the second signal cpu",
            "signals[0]",
        ),
        (
            "{scaling: {maxReplicas: 3, signals: [{type: requestRate, target: 0.0}]}}",
            "$.spec.scaling.signals[0].target",
            "is 0.0",
            "more than 0",
        ),
        (
            "{scaling: {maxReplicas: 3, signals: [{type: cpu, targetUtilization: 8}], interval: 1s}}",
            "$.spec.scaling.interval",
            "is 1s",
            "5s to 5m",
        ),
        ("{retrain: {}}", "$.spec.retrain", "has no receiver", "exactly one of webhook, job"),
        (
            "{retrain: {job: {cronJob: a}, webhook: {url: 'https://a.example'}}}",
            "$.spec.retrain",
            "has webhook, job",
            "exactly one of",
        ),
        ("{retrain: {causes: [alert], job: {cronJob: a}}}", "$.spec.retrain.alerts", "is empty", "name alerts"),
        (
            "{retrain: {alerts: [Slow], job: {cronJob: a}}}",
            "$.spec.retrain.alerts",
            "does not contain alert",
            "add alert",
        ),
        (
            "{notify: [{webhook: {url: 'https://a.example', format: slack, contentMode: binary}}]}",
            "$.spec.notify[0].webhook.contentMode",
            "is binary, and format is slack",
            "remove it",
        ),
        ("{retrain: {job: {}}}", "$.spec.retrain.job.cronJob", "is missing", "text"),
        ("{scaling: {maxReplicas: 3, minReplicas: 0}}", "$.spec.scaling.minReplicas", "is 0", "at least 1"),
        (
            "{scaling: {maxReplicas: 3, signals: [{type: concurrency, target: 8}], behavior: {scaleDwn: {}}}}",
            "$.spec.scaling.behavior.scaleDwn",
            "is not a known key",
            "did you mean scaleDown?",
        ),
        (
            "{scaling: {maxReplicas: 3, behavior: {scaleUp: {policies: [{type: Pods, value: 4}]}}}}",
            "$.spec.scaling.behavior.scaleUp.policies[0].periodSeconds",
            "is missing",
            "a whole number",
        ),
        ("{retrain: {webhook: {url: trainer}}}", "$.spec.retrain.webhook.url", "is 'trainer'", "https://"),
        (
            "{retrain: {webhook: {url: 'https://a:b@c.example'}}}",
            "$.spec.retrain.webhook.url",
            "a password",
            "remove it",
        ),
        ("{retrain: {webhook: {url: 'http://[::1'}}}", "$.spec.retrain.webhook.url", "is 'http://[::1'", "https://"),
        ("{retrain: {webhook: {url: 'https://a.example:99999'}}}", "$.spec.retrain.webhook.url", "is 'https", "give"),
        ("{model: {name: 'a\tb'}}", "$.spec.model.name", "is 'a", "on one line"),
        ("[]", "$.spec", "is []", "an object with mode"),
    ],
)
def test_an_error_names_path_value_and_remedy(text: str, path: str, what: str, remedy: str) -> None:
    text = text.replace("*cpu", "{type: cpu, targetUtilization: 8}")
    if "scaling" in text:
        text = text.replace("{scaling", "{targetRef: {apiVersion: apps/v1, kind: Deployment, name: a}, scaling")
    problem = only_problem(text)
    assert (problem.path, problem.line) == (path, 4)
    assert what in problem.what
    assert remedy in problem.remedy


def test_all_problems_are_listed_with_their_lines() -> None:
    found = problems(f"{HEAD}spec:\n  mode: x\n  drift:\n    tick: 60\n  trafic: 1\n")
    assert {(problem.path, problem.line) for problem in found} == {
        ("$.spec.mode", 5),
        ("$.spec.drift.tick", 7),
        ("$.spec.trafic", 8),
    }


def test_a_password_in_an_address_is_not_repeated() -> None:
    assert "hunter2" not in str(only_problem("{retrain: {webhook: {url: 'https://me:hunter2@c.example/'}}}"))


@pytest.mark.parametrize(
    ("raw", "what"),
    [
        (b"", "empty"),
        (b"# only a comment\n", "empty"),
        (b"a: 1\na: 2\n", "appears twice"),
        (b'{"a": 1, "a": 2}', "appears twice"),
        (b"a: &x [1]\nb: *x\n", "alias *x"),
        (b"a: !!python/object/apply:os.system [ls]\n", "tag"),
        (b"a: 1\n---\nb: 2\n", "a second document"),
        (b"[" * 200, "nested too deeply"),
        (b"{" * 100_000, "not JSON"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"? [a]\n: b\n", "a key is a list"),
        (b"a: b: c\n", "not YAML"),
        (b"a: \xff\n", "not UTF-8"),
        (b"a: \x00\n", "not YAML"),
        (b'{"a": NaN}', "not a JSON number"),
        (b'{"a": "\\ud800"}', "half a surrogate"),
        (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
        (b"apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: My Model}", "is 'My Model'"),
        (b'apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: "a\\n"}', "is 'a"),
        (b"a: " + b"x" * 1024 * 1024, "bytes"),
        (b"42\n", "is 42"),
    ],
)
def test_an_invalid_or_hostile_file_is_refused_with_a_message(raw: bytes, what: str) -> None:
    assert what in str(problems(raw)[0])


@pytest.mark.parametrize("kind", ["[]", "{}", "[latency]", "1", "~"])
def test_a_type_that_is_no_text_is_refused(kind: str) -> None:
    found = only_problem(f"{{targetRef: {{apiVersion: v1, kind: X, name: x}}, {scaling(kind)}}}")
    assert found.path == "$.spec.scaling.signals[0].type"


def scaling(kind: str) -> str:
    return f"scaling: {{maxReplicas: 2, signals: [{{type: {kind}, target: 8}}]}}"


def test_an_alias_bomb_is_refused_at_its_first_alias() -> None:
    layers = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert "alias *a0" in problems(f"a0: &a0 [x]\n{layers}")[0].what


@given(st.binary(max_size=300))
def test_any_bytes_raise_only_settings_errors(raw: bytes) -> None:
    with pytest.raises(SettingsError):
        parse(raw, "monitor.yaml", {})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["mode", "model", "traffic", "profiles", "drift", "scaling", "resources", "retrain", "targetRef"]


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_values_give_a_document_or_problems(tree: dict[str, object]) -> None:
    document = {"apiVersion": "pilotfish.dev/v1alpha1", "kind": "ModelMonitor", "metadata": {"name": "a"}, "spec": tree}
    with contextlib.suppress(SettingsError):
        assert parse(json.dumps(document).encode(), "monitor.json", {}).metadata.name == "a"


def test_words_with_another_meaning_in_yaml_1_1_stay_words() -> None:
    found = spec(
        "{model: {name: no, version: 2024-01-01}, retrain: {causes: [drift], webhook: {url: 'https://a.example'}}}"
    )
    assert (found.spec.model.name, found.spec.model.version) == ("no", "2024-01-01")


def test_a_key_without_a_value_has_its_default() -> None:
    assert spec("{drift: , mode: }").spec == parse(HEAD.encode(), "x", {}).spec


def test_variables_override_the_document_and_an_empty_one_sets_nothing() -> None:
    environ = {"PILOTFISH_MODE": "act", "PILOTFISH_MODEL_VERSION": "8", "PILOTFISH_MODEL_NAME": ""}
    found = parse(WHOLE.encode(), "x", environ).spec
    assert (found.mode, found.model.version, found.model.name) == ("act", "8", "delays")
    assert parse(HEAD.encode(), "x", environ).spec.model.version == "8"


def test_a_problem_of_a_variable_names_it() -> None:
    with pytest.raises(SettingsError, match=r"\$\.spec\.mode: is 'x', set by PILOTFISH_MODE"):
        parse(WHOLE.encode(), "x", {"PILOTFISH_MODE": "x"})


def test_a_missing_file_is_a_problem_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "monitor.yaml", {})
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, {})


CLUSTER_ONLY = {
    "targetRef": "targetRef: {apiVersion: apps/v1, kind: Deployment, name: m}",
    "scaling": "scaling: {maxReplicas: 2, signals: [{type: concurrency, target: 8}]}",
    "resources": "resources: {container: m, cpu: {min: 1, max: 2}}",
    "traffic.ports": "traffic: {ports: [http]}",
    "profiles[0].configMap": "profiles: [{configMap: m-profile}]",
    "profiles[0].url": "profiles: [{url: 'https://profiles.example/m.json'}]",
    "profiles[1].configMap": "profiles: [{version: '1', path: p.json}, {version: '2', configMap: m}]",
    "retrain.alerts": "retrain: {causes: [alert], alerts: [Slow], webhook: {url: 'https://t.example/'}}",
    "retrain.job": "retrain: {job: {cronJob: train}}",
    "retrain.argoWorkflow": "retrain: {argoWorkflow: {workflowTemplate: train}}",
    "retrain.tektonPipelineRun": "retrain: {tektonPipelineRun: {pipeline: train}}",
    "traffic.interception": "traffic: {interception: move}",
    "retrain.webhook.urlSecretRef": "retrain: {webhook: {urlSecretRef: {name: s}}}",
    "retrain.webhook.secretRef": "retrain: {webhook: {url: 'https://t.example/', secretRef: {name: s}}}",
}


@pytest.mark.parametrize("path", CLUSTER_ONLY)
def test_a_setting_that_needs_a_cluster_is_refused_outside_of_one(path: str) -> None:
    raw = f"{HEAD}spec: {{{CLUSTER_ONLY[path]}}}\n".encode()
    with pytest.raises(SettingsError) as caught:
        parse(raw, "monitor.yaml", {}, cluster=False)
    (problem,) = caught.value.problems
    assert (problem.path, problem.what) == (f"$.spec.{path}", "works in a cluster only")
    assert problem.remedy


def test_all_settings_that_need_a_cluster_are_listed_and_a_cluster_takes_them() -> None:
    with pytest.raises(SettingsError) as caught:
        parse(WHOLE.encode(), "x", {}, cluster=False)
    assert len(caught.value.problems) == 6
    assert parse(WHOLE.encode(), "x", {}).spec.scaling is not None


def test_metadata_that_only_kubernetes_reads_is_ignored() -> None:
    head = HEAD.replace(
        "{name: delays}", "{name: delays, generateName: delays-, selfLink: /a, managedFields: [1], a: 1}"
    )
    assert parse(head.encode(), "monitor.yaml", {}, cluster=False).metadata.name == "delays"


@pytest.mark.parametrize(
    ("block", "path"),
    [
        ("profiles: [{path: p.json}]", "profiles[0].path"),
        ("retrain: {webhook: {urlFile: /etc/passwd}}", "retrain.webhook.urlFile"),
        ("notify: [{webhook: {url: 'https://a.example', secretFile: /etc/passwd}}]", "notify[0].webhook.secretFile"),
    ],
)
def test_a_resource_names_no_file(block: str, path: str) -> None:
    head = "targetRef: {apiVersion: apps/v1, kind: Deployment, name: m}"
    with pytest.raises(SettingsError) as caught:
        parse_resource(f"{HEAD}spec: {{{head}, {block}}}".encode(), "default/delays")
    assert [problem.path for problem in caught.value.problems] == [f"$.spec.{path}"]


def test_a_resource_needs_a_target() -> None:
    with pytest.raises(SettingsError, match=r"\$\.spec\.targetRef: is missing"):
        parse_resource(f"{HEAD}spec: {{mode: act}}".encode(), "default/delays")


def test_a_webhook_without_a_secret_or_without_tls_gives_a_warning() -> None:
    said = " ".join(find_warnings(spec("{mode: act, retrain: {webhook: {url: 'http://trainer.example/x'}}}")))
    assert "no secret" in said
    assert "https" in said
    assert "https" not in " ".join(find_warnings(spec("{retrain: {webhook: {url: 'http://127.0.0.1:80/x'}}}")))


def test_paths_without_predictions_give_a_warning() -> None:
    said = " ".join(find_warnings(spec("{traffic: {decode: {rows: $}}}")))
    assert "spec.traffic.decode reads no predictions" in said
    for predictions in ("predictions: $", "predictionColumns: {a: $}"):
        said = " ".join(find_warnings(spec(f"{{traffic: {{protocol: json, decode: {{rows: $, {predictions}}}}}}}")))
        assert "reads no predictions" not in said


def test_control_characters_in_a_key_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in str(only_problem('{"\\x1b[31mtick": 1}'))


def test_a_variable_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(SettingsError, match="PILOTFISH_MODEL_NAME; give text in UTF-8"):
        parse(WHOLE.encode(), "x", {"PILOTFISH_MODEL_NAME": "m\udcff"})


def test_no_key_is_read_as_a_truth_value_by_yaml_1_1() -> None:
    # kubectl and Helm read YAML 1.1, where the keys on, off, yes, no, y and n are True or False
    def keys(tree: Any) -> Iterator[str]:
        if isinstance(tree, dict):
            yield from tree.get("properties", {})
            for value in tree.values():
                yield from keys(value)
        elif isinstance(tree, list):
            for value in tree:
                yield from keys(value)

    found = set(keys(json_schema()))
    assert "retrain" in found
    assert all(isinstance(next(iter(yaml.safe_load(f"{key}: 1"))), str) for key in found)
