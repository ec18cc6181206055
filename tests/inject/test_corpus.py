from __future__ import annotations

import json
from typing import Any

import kubernetes_validate
import pytest

from pilotfish.sidecar.inject.injection import inject
from pilotfish.sidecar.inject.operations import patch_json
from pilotfish.sidecar.inject.plan import InterceptionMode
from pilotfish.sidecar.inject.reasons import InjectionReason

from . import cases, laws
from .patching import Network, apply

INJECTED = [name for name in cases.NAMES if cases.injected(name)[2].mode is not InterceptionMode.NONE]
# Where the servers of the corpus listen before, beside their declared ports: (container, port).
UNDECLARED = {
    "gunicorn-number": {8000: "model"},
    "kserve-huggingface": {8080: "kserve-container"},
    "kserve-mlserver": {8080: "kserve-container", 9000: "kserve-container"},
    "uvicorn-number": {8000: "model"},
}


@pytest.mark.parametrize("name", cases.NAMES)
def test_a_pod_of_the_corpus_gets_the_expected_patch(name: str) -> None:
    """`python -m tests.inject.cases` writes the expected patches anew."""
    assert cases.expected(name) == (cases.FOLDER / "expected" / f"{name}.yaml").read_text()


def test_each_expected_patch_belongs_to_a_pod_of_the_corpus() -> None:
    assert sorted(path.stem for path in (cases.FOLDER / "expected").iterdir()) == cases.NAMES


def listening(pod: dict[str, Any], name: str) -> dict[int, tuple[str, int]]:
    declared = {
        port["containerPort"]: container["name"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("protocol", "TCP") == "TCP"
    }
    return {port: (container, port) for port, container in {**declared, **UNDECLARED.get(name, {})}.items()}


@pytest.mark.parametrize("name", INJECTED)
def test_an_injected_pod_keeps_its_traffic_its_probes_and_its_class(name: str) -> None:
    pod, context, injection = cases.injected(name)
    patch = patch_json(injection.patch)
    after = apply(pod, patch)
    laws.check_paths(patch)
    laws.check_containers(pod, after)
    laws.check_names(pod, after)
    assert laws.qos(after) == (laws.qos(pod) if laws.qos(pod) != "BestEffort" else "Burstable")
    note = json.loads(after["metadata"]["annotations"]["pilotfish.dev/injection"])
    assert (note["mode"], note["reason"]) == (injection.mode, injection.reason)
    servers = listening(pod, name)
    moved = {pair["upstream"]: pair["listen"] for pair in note["ports"]} if injection.mode == "move" else {}
    now = {**{port: found for port, found in servers.items() if port not in moved.values()},
           **{upstream: servers[listen] for upstream, listen in moved.items()}}  # fmt: skip
    before_network, after_network = Network(pod, servers), Network(after, now)
    selecting = [
        service for service in context.services
        if service.selector and service.selector.items() <= pod["metadata"]["labels"].items()
    ]  # fmt: skip
    intercepted = {after_network.listening[port] for port in after_network.pairs.values()}
    for port in (port for service in selecting for port in service.ports if port.protocol == "TCP"):
        laws.check_traffic(before_network, after_network, port.target, intercepted)
    laws.check_probes(before_network, after_network)


@pytest.mark.parametrize("name", cases.NAMES)
def test_a_second_injection_changes_nothing(name: str) -> None:
    pod, context, injection = cases.injected(name)
    again = inject(apply(pod, patch_json(injection.patch)), context, cases.template())
    assert again.patch == ()
    expected = InjectionReason.ALREADY_INJECTED if injection.mode is not InterceptionMode.NONE else injection.reason
    assert again.reason is expected


@pytest.mark.parametrize("name", [name for name in cases.NAMES if name not in INJECTED])
def test_a_pod_that_cannot_be_injected_gets_an_annotation_with_the_remedy_and_nothing_else(name: str) -> None:
    pod, _, injection = cases.injected(name)
    after = apply(pod, patch_json(injection.patch))
    note = json.loads(after["metadata"]["annotations"].pop("pilotfish.dev/injection"))
    pod["metadata"].setdefault("annotations", {})
    assert after == pod
    assert note == {"mode": "none", "reason": injection.reason, "message": injection.message}
    assert "; " in injection.message
    assert injection.reason.remedy or injection.reason is InjectionReason.WINDOWS


@pytest.mark.long
@pytest.mark.parametrize("version", ["1.33", "1.36"])
def test_patched_pods_are_valid_for_the_api_server(version: str) -> None:
    for name in INJECTED:
        pod, _, injection = cases.injected(name)
        after = apply(pod, patch_json(injection.patch))
        if version == "1.33" and "resources" in after["spec"]:
            continue  # pod-level resources came with 1.34
        kubernetes_validate.validate(after, version, strict=True)
