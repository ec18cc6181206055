"""The examples for Kubernetes, Docker Compose and systemd are valid, and all commands of the docs parse."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import yaml

from pilotfish.sidecar import cli
from pilotfish.sidecar.proxy.arguments import parse_pairs
from pilotfish.sidecar.settings import options
from tests.e2e.manifests import SCHEMAS, containers, documents, problems, references, restrictions
from tests.e2e.pasted import EXAMPLES, steps

MANIFESTS = sorted((EXAMPLES / "kubernetes").glob("*.yaml"))
COMPOSE: dict[str, Any] = yaml.safe_load((EXAMPLES / "compose/compose.yaml").read_text())
ROOT = EXAMPLES.parents[1]
UNIT = (EXAMPLES / "systemd/pilotfish.service").read_text()
SERVICE_KEYS = {
    "build", "cap_drop", "command", "environment", "image", "network_mode", "ports", "read_only", "restart", "secrets",
    "security_opt", "stop_grace_period", "volumes",
}  # fmt: skip
OPERATORS = {"|", ">", "&&", "||", ";", "&"}
HARDENED = {
    "CapabilityBoundingSet": "",
    "DynamicUser": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "ProtectHome": "yes",
    "ProtectSystem": "strict",
    "RestrictNamespaces": "yes",
    "StateDirectory": "pilotfish",
}


def pods() -> Iterator[Any]:
    for path in MANIFESTS:
        for item in documents(path):
            if item["kind"] == "Deployment":
                yield pytest.param(item["spec"]["template"]["spec"], id=path.stem)


def parsed(words: list[str], environ: dict[str, str]) -> Any:
    """Return the options of a command line of `pilotfish`; an unusable one fails the test."""
    name, *arguments = words
    parser = cli.build_parser(name)
    assert not list(options.unknown_variables(environ, options.options_of(parser), set[str])), "an unknown variable"
    return options.parse(parser, arguments, environ, cli.COMMANDS[name].variables)[0]


def command_lines() -> Iterator[Any]:
    """Yield every command line of `pilotfish` in docs and examples, with its environment variables."""
    pages = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(EXAMPLES.glob("*/README.md"))]
    for path in pages:
        environ = dict[str, str]()  # of the page so far: `export NAME=VALUE`
        for step in steps(path.read_text()):
            if not re.match(r"export |.*pilotfish ", step.command + " "):
                continue
            words = shlex.split(step.command, comments=True)
            if words[0] == "export":
                environ |= dict(word.split("=", 1) for word in words[1:])
            for at, word in enumerate(words[:-1]):
                if Path(word).name == "pilotfish" and words[at + 1] in cli.COMMANDS:
                    line = list(takewhile(lambda word: word not in OPERATORS, words[at + 1 :]))
                    yield pytest.param(line, dict(environ), id=f"{path.parent.name}-{path.stem}-{line[0]}")
    for pod in pods():
        for container in containers(pod.values[0]):
            if container["image"].startswith("pilotfish") and "args" in container:
                environ = {item["name"]: item["value"] for item in container.get("env", ())}
                yield pytest.param(container["args"], environ, id=f"{pod.id}-{container['name']}")
    service = COMPOSE["services"]["pilotfish"]
    yield pytest.param(service["command"], service["environment"], id="compose")
    variables = dict(re.findall(r"^Environment=(\w+)=(.*)$", UNIT, re.MULTILINE))
    (line,) = re.findall(r"^ExecStart=\S+/pilotfish (.*)$", UNIT, re.MULTILINE)
    yield pytest.param(shlex.split(line), variables, id="systemd")


@pytest.mark.parametrize(("words", "environ"), list(command_lines()))
def test_every_command_line_parses(words: list[str], environ: dict[str, str]) -> None:
    given = parsed(words, environ)
    if words[0] in {"proxy", "run"}:
        assert parse_pairs(given.listen, given.upstream)


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_manifests_are_valid(path: Path) -> None:
    for item in documents(path):
        assert list(problems(item, SCHEMAS[item["kind"]])) == []


@pytest.mark.parametrize("pod", list(pods()))
def test_pods_are_restricted_and_complete(pod: dict[str, Any]) -> None:
    assert list(restrictions(pod)) == []
    assert list(references(pod)) == []
    sidecars = pod["initContainers"]
    assert all(item["restartPolicy"] == "Always" for item in sidecars)
    assert not any({"livenessProbe", "readinessProbe"} & item.keys() for item in sidecars)
    assert pod["terminationGracePeriodSeconds"] >= 20 + 10  # --drain-seconds, and the last checkpoint


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_ports_of_the_service_the_containers_and_the_options_agree(path: Path) -> None:
    (service,) = (item for item in documents(path) if item["kind"] == "Service")
    (deployment,) = (item for item in documents(path) if item["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    found, shared = dict[str, int](), set[str]()
    for container in containers(template["spec"]):
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        found |= ports
        if container["image"].startswith("pilotfish"):
            args = parsed(container["args"], {})
            shared.add(str(args.shared))
            given = {"admin": getattr(args, "admin", ""), "health": getattr(args, "health", "")}
            given["pilotfish"] = next(iter(getattr(args, "listen", ())), "")
            assert {name: str(given[name]).rpartition(":")[2] for name in ports} == {
                k: str(v) for k, v in ports.items()
            }
            assert all(item.endswith(":8000") for item in getattr(args, "upstream", ()))
    assert found["model"] == 8000
    assert service["spec"]["ports"][0]["targetPort"] in found
    assert template["metadata"]["annotations"]["prometheus.io/port"] == str(found["admin"])
    assert len(shared) == 1, "proxy and analyzer share a folder"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"replicas": "two"}, "is no"),
        ({"replica": 2}, "$.spec.replica is unknown"),
        ({"selector": None, "template": {"spec": {"containers": [{"image": "a"}]}}}, "name is missing"),
        ({"template": {"spec": {"containers": [], "restartPolicy": 1}}}, "restartPolicy: 1 is no"),
    ],
)
def test_a_wrong_manifest_is_found(change: dict[str, Any], problem: str) -> None:
    (deployment,) = (item for item in documents(MANIFESTS[0]) if item["kind"] == "Deployment")
    found = list(problems({**deployment, "spec": {**deployment["spec"], **change}}, SCHEMAS["Deployment"]))
    assert any(problem in one for one in found), found


def test_compose_has_only_keys_that_are_known_and_defines_what_it_uses() -> None:
    assert COMPOSE.keys() == {"services", "secrets", "volumes"}
    for name, service in COMPOSE["services"].items():
        assert service.keys() <= SERVICE_KEYS, name
        assert ("build" in service) != ("image" in service), name
        sources = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert {source for source in sources if not source.startswith(".")} <= COMPOSE["volumes"].keys()
        assert set(service.get("secrets", ())) <= COMPOSE["secrets"].keys()
    ours = COMPOSE["services"]["pilotfish"]
    assert (ours["read_only"], ours["cap_drop"], ours["security_opt"]) == (True, ["ALL"], ["no-new-privileges:true"])


def test_prometheus_scrapes_the_admin_address_of_compose() -> None:
    config = yaml.safe_load((EXAMPLES / "compose/prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    labels = {"namespace": "compose", "pod": "pilotfish"}
    admin = COMPOSE["services"]["pilotfish"]["environment"]["PILOTFISH_ADMIN"]
    assert job["static_configs"] == [{"targets": [f"pilotfish:{admin.rpartition(':')[2]}"], "labels": labels}]
    mounted = {volume.split(":")[1] for volume in COMPOSE["services"]["prometheus"]["volumes"]}
    assert {f"/etc/prometheus/{name}" for name in config["rule_files"]} <= mounted


def test_the_unit_is_hardened() -> None:
    unit = configparser.RawConfigParser(strict=False, allow_no_value=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(UNIT)
    assert set(unit.sections()) == {"Unit", "Service", "Install"}
    assert HARDENED.items() <= dict(unit["Service"]).items()
    assert json.loads(unit["Service"]["TimeoutStopSec"]) >= 30
