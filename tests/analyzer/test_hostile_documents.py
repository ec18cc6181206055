"""A document with a changed value is refused with its path and the value, or it works through analyzer and control."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pilotfish.detectors.errors import DetectorError
from pilotfish.detectors.profile.profile import Profile
from pilotfish.sidecar.analyzer.configuration import configuration_of, proxy_settings, redacted_document
from pilotfish.sidecar.analyzer.errors import ProfileRefusedError
from pilotfish.sidecar.analyzer.exchange_ledger import ExchangeLedger
from pilotfish.sidecar.analyzer.pipeline import Pipeline
from pilotfish.sidecar.control.app import build
from pilotfish.sidecar.run.engine import engine
from pilotfish.sidecar.settings.effective import budget_sentence, settings_in_force
from pilotfish.sidecar.settings.errors import SettingsError
from pilotfish.sidecar.settings.load import parse
from tests.analyzer.made import SECOND, T0
from tests.analyzer.profile_mutants import CASES, live_record, mutants, render
from tests.support.sizes import size

HEAD = {"apiVersion": "pilotfish.dev/v1alpha1", "kind": "ModelMonitor", "metadata": {"name": "delays"}}
SPECS: dict[str, dict[str, Any]] = {
    "laptop": {
        "mode": "act",
        "model": {"name": "m", "version": "1"},
        "traffic": {
            "protocol": "json",
            "decode": {
                "rows": "$.rows[*]",
                "names": "$.names",
                "predictionColumns": {"said": "$.out[*].said"},
                "id": "$.id",
                "paths": ["/predict/{name}"],
                "oneRow": False,
            },
            "maxRecordsPerSecond": 100,
            "bodyLimit": "1Mi",
            "routes": ["/models/{name}"],
            "probes": ["/healthz"],
            "keepRows": {"rows": 1000, "bytes": "8Mi", "mask": ["amount"]},
        },
        "profiles": [
            {"version": "1", "path": "profile.json"},
            {"version": "2", "learn": {"rows": 1000, "mask": ["a"]}},
        ],
        "drift": {
            "tick": "60s",
            "falseAlarms": {"count": 1, "per": "30d"},
            "tolerance": 0.0025,
            "features": {"amount": {"tolerance": 0.01}, "twin": {"ignore": True}},
            "performance": {"tolerance": 0.01},
        },
        "feedback": {"keep": "24h", "maxRows": 1000},
        "retrain": {
            "causes": ["drift", "performance"],
            "cooldown": "24h",
            "mode": "act",
            "webhook": {"url": "https://trainer.example/hooks", "secretFile": "key", "timeout": "10s"},
        },
    },
    "cluster": {
        "mode": "recommend",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"},
        "model": {"name": "m"},
        "traffic": {"ports": ["http", 8080]},
        "profiles": [{"configMap": "delays-profile"}],
        "scaling": {
            "minReplicas": 1,
            "maxReplicas": 8,
            "signals": [{"type": "concurrency", "target": 8}, {"type": "latency", "quantile": 0.95, "target": "250ms"}],
            "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
        },
        "resources": {
            "container": "model",
            "method": "inPlace",
            "cpu": {"min": "250m", "max": "4"},
            "memory": {"min": "256Mi", "max": "4Gi"},
        },
        "retrain": {"webhook": {"url": "http://trainer.example/", "secretRef": {"name": "retrain-hmac", "key": "key"}}},
    },
    "cluster with a workflow": {
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "delays"},
        "retrain": {
            "argoWorkflow": {"workflowTemplate": "train", "parameters": {"model": "${event.data.model}"}},
            "causes": ["drift", "alert"],
            "alerts": ["Slow"],
        },
    },
}


def use(raw: bytes, folder: Path, *, cluster: bool) -> str:
    """Build and run all that reads the document; return why it is refused, or an empty text."""
    try:
        document = parse(raw, "monitor.json", {}, cluster=cluster)
        configured = configuration_of(document, folder, engine, cluster=cluster)
    except (SettingsError, DetectorError) as error:
        return str(error)
    texts = [budget_sentence(document), *configured.notes, *(found.value for found in settings_in_force(document))]
    "".join(texts).encode()
    msgspec.json.encode([redacted_document(document), proxy_settings(document)])
    build(document, folder=folder, state=folder, report=NotImplemented, blind=NotImplemented, publish=NotImplemented)
    case = CASES["relations"]
    pipeline = Pipeline(configured.settings, ExchangeLedger(1))
    try:
        pipeline.set_profile(Profile.from_bytes(case.profile.to_bytes()))
    except ProfileRefusedError as error:
        return str(error)
    pipeline.handle_record(live_record(1, T0, case.live_rows()), T0)
    pipeline.advance(T0 + int(3 * configured.settings.drift.tick_seconds * SECOND))
    render(pipeline)
    return ""


def try_mutants(name: str, one_of: int, folder: Path) -> None:
    chance, refused = random.Random(f"{name} {one_of}"), 0
    whole = {**HEAD, "spec": SPECS[name]}
    for what, mutant in mutants(whole):
        if chance.randrange(one_of):
            continue
        try:
            problem = use(json.dumps(mutant).encode(), folder, cluster=name.startswith("cluster"))
        except BaseException as error:
            error.add_note(f"the mutant is {what!r} of {name}")
            raise
        refused += bool(problem)
        assert not problem or "$" in problem or "profile" in problem or "not JSON" in problem, (what, problem)
        assert len(problem) < 8000, what
    assert refused


@pytest.mark.parametrize("name", SPECS)
def test_any_value_changed_is_refused_with_its_path_or_works(name: str, tmp_path: Path) -> None:
    assert use(json.dumps({**HEAD, "spec": SPECS[name]}).encode(), tmp_path, cluster=name.startswith("cluster")) == ""
    try_mutants(name, 200, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", SPECS)
def test_any_value_changed_is_refused_with_its_path_or_works_in_long(name: str, tmp_path: Path) -> None:
    try_mutants(name, size(12, 4), tmp_path)


# --- documents that ask for more work than they have bytes

TEXT = "apiVersion: pilotfish.dev/v1alpha1\nkind: ModelMonitor\nmetadata: {name: d}\nspec:\n  "
MANY = 1000
BOMBS = {
    "a long key above a long list": ("k" * 900 + ":\n" + "  - 1\n" * 20_000, "too many values with long keys"),
    "nested long keys": (
        "a: " + ("{? " + "k" * 900 + " : ") * 25 + "[" + "1," * MANY + "1]" + "}" * 25,
        "too many values with long keys",
    ),
    "a longer key": ("k" * 1001 + ": 1", "key 'kkkk"),
    "unknown keys": ("\n  ".join(f"k{number}: 1" for number in range(MANY)), "at least 100 problems"),
    "wrong items": ("traffic: {routes: [" + "1," * MANY + "1]}", "at least 100 problems"),
    "profiles": (
        "profiles: [" + "{path: a}," * MANY + "{path: a}]",
        "has 1001 entries; give a list, length at most 100",
    ),
    "aliases": ("a: &a [x]\n  b: [*a, *a]", "alias *a"),
    "merge keys": ("<<: {a: 1}", "$.spec.<< (line 5): is not a known key"),
    "tags": ("mode: !!binary YWN0", "tag 'tag:yaml.org,2002:binary'"),
    "a tag of Python": ("mode: !!python/object/apply:os.system [ls]", "tag"),
    "a timestamp as key": ("2026-01-01: 1", "$.spec.2026-01-01 (line 5): is not a known key"),
    "null as key": ("~: 1", "$.spec.~ (line 5): is not a known key"),
    "a huge integer": ("traffic: {maxRecordsPerSecond: " + "9" * 100_000 + "}", "is '99999"),
    "a huge exponent": ("drift: {tolerance: 1e999}", "is inf"),
    "deep lists": ("mode: " + "[" * 100_000, "nested too deeply"),
    "right-to-left text": ('mode: "\u202eact"', "is '\\u202eact'"),
}


@pytest.mark.parametrize("what", BOMBS)
def test_a_bomb_is_refused_within_time_and_memory(what: str) -> None:
    body, says = BOMBS[what]
    raw = (TEXT + body + "\n").encode()
    before = time.process_time()
    tracemalloc.start()
    try:
        with pytest.raises(SettingsError) as caught:
            parse(raw, "monitor.yaml", {})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert says in str(caught.value)
    assert len(str(caught.value)) < 8000
    assert time.process_time() - before < 10
    assert peak < 64 * 2**20
