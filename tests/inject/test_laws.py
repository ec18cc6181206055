from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pilotfish.sidecar.inject.context import ClusterService, Context, ServicePort
from pilotfish.sidecar.inject.injection import inject
from pilotfish.sidecar.inject.operations import patch_json
from pilotfish.sidecar.inject.plan import InterceptionMode
from pilotfish.sidecar.inject.reasons import InjectionReason

from . import cases, laws
from .patching import Network, apply, words

TEMPLATE = cases.template()
NUMBERS = (80, 5000, 8000, 8001, 8080, 9000, 9800, 9801)
NAMES = ("http", "grpc", "web", "metrics", "port-a")
RESOURCES: tuple[dict[str, Any] | None, ...] = (
    None,
    {},
    {"requests": {"cpu": "100m", "memory": "64Mi"}},
    {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"cpu": "1000m", "memory": "1024Mi"}},
    {"limits": {"cpu": "500m", "memory": "256Mi"}},
)
Server = dict[int, int]  # the ports with which a server started before, and those now


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


@st.composite
def containers(draw: st.DrawFn, name: str, numbers: list[int]) -> dict[str, Any]:
    """A container with a server that listens on `numbers`, of which some are declared."""
    container: dict[str, Any] = {"name": name, "image": "registry.example/model:1"}
    kind = draw(st.sampled_from(["plain", "equals", "words", "shell", "variable"])) if len(numbers) == 1 else "plain"
    if kind == "equals":
        container["args"] = ["uvicorn", "service:app", f"--port={numbers[0]}"]
    elif kind == "words":
        container["command"] = ["python", "-m", "uvicorn", "--port", str(numbers[0]), "service:app"]
    elif kind == "shell":
        container["command"] = ["/bin/sh", "-c", f"sleep 1; exec uvicorn service:app --port {numbers[0]} --workers 2"]
    elif kind == "variable":
        container["env"] = [{"name": "A", "value": "b"}, {"name": "MLSERVER_HTTP_PORT", "value": str(numbers[0])}]
        container["env"].append({"name": "MLSERVER_GRPC_PORT", "value": str(numbers[0] + 10)})
    names = draw(st.permutations(NAMES))
    ports = []
    declared: list[int] = draw(st.lists(st.sampled_from(numbers), unique=True)) if numbers else []
    for number, port_name in zip(declared, names, strict=False):
        port: dict[str, Any] = {"containerPort": number}
        if draw(st.booleans()):
            port["name"] = port_name
        if draw(st.booleans()):
            port["protocol"] = "TCP"
        ports.append(port)
    if bool(numbers) and draw(st.booleans()):
        ports.append({"containerPort": draw(st.sampled_from(NUMBERS)), "protocol": "UDP", "name": "udp"})
    if bool(ports) or draw(st.booleans()):
        container["ports"] = ports
    own = [*numbers, *(port["name"] for port in ports if port.get("name") and port.get("protocol") != "UDP")]
    for key in draw(st.lists(st.sampled_from(["livenessProbe", "readinessProbe", "startupProbe"]), unique=True)):
        if own:
            container[key] = draw(actions(own))
    if bool(own) and draw(st.booleans()):
        container["lifecycle"] = {
            draw(st.sampled_from(["postStart", "preStop"])): {"httpGet": {"port": draw(st.sampled_from(own))}}
        }
    resources = draw(st.sampled_from(RESOURCES))
    return container if resources is None else {**container, "resources": resources}


def actions(own: list[int | str]) -> st.SearchStrategy[dict[str, Any]]:
    by_number = [port for port in own if isinstance(port, int)]
    return st.one_of(
        st.builds(lambda port: {"httpGet": {"path": "/", "port": port}}, st.sampled_from(own)),
        st.builds(lambda port: {"tcpSocket": {"port": port}}, st.sampled_from(own)),
        st.builds(lambda port: {"grpc": {"port": port}}, st.sampled_from(by_number)),
        st.just({"exec": {"command": ["true"]}}),
    )


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    numbers = list(draw(st.permutations(NUMBERS)))
    count = draw(st.sampled_from([1, 1, 2, 3]))
    shares = [[numbers.pop() for _ in range(draw(st.integers(0 if index else 1, 2)))] for index in range(count)]
    spec: dict[str, Any] = {
        "containers": [draw(containers(f"part-{index}", share)) for index, share in enumerate(shares)]
    }
    for key, items in (
        ("initContainers", [{"name": "download", "image": "download"}, {"name": "istio-init", "image": "istio"}]),
        ("volumes", [{"name": "models", "emptyDir": {}}]),
        ("imagePullSecrets", [{"name": "registry"}]),
    ):
        if draw(st.booleans()):
            spec[key] = draw(maybe(st.lists(st.sampled_from(items), unique_by=lambda item: str(item["name"]))))
    if draw(st.booleans()):
        spec["securityContext"] = draw(st.sampled_from([{}, {"runAsUser": 0}, {"runAsUser": 1000}]))
    if draw(st.integers(0, 5)) == 0:
        spec["resources"] = {"requests": {"cpu": "4", "memory": "8Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}}
    metadata: dict[str, Any] = {"generateName": "pod-", "labels": {"app": "model", "pilotfish.dev/inject": "true"}}
    annotations = {
        "pilotfish.dev/interception": draw(st.sampled_from(["auto", "auto", "port", "move", "redirect"])),
        "example.com/a~b": "c",
    }
    if count > 1 and draw(st.booleans()):
        metadata["annotations"] = {**annotations, "pilotfish.dev/container": "part-0"}
    elif draw(st.booleans()):
        metadata["annotations"] = draw(maybe(st.sampled_from([annotations, {}])))
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def services(pod: dict[str, Any]) -> st.SearchStrategy[list[ClusterService]]:
    ports = [port for item in pod["spec"]["containers"] for port in item.get("ports", [])]
    own = [*(port["containerPort"] for port in ports), *(port["name"] for port in ports if port.get("name"))]
    port = st.builds(
        ServicePort,
        name=st.sampled_from(["", "http", "http-metrics"]),
        port=st.just(80),
        target=st.sampled_from([*own * 4, *NUMBERS, *NAMES]),
        protocol=st.sampled_from(["TCP", "TCP", "UDP"]),
    )
    service = st.builds(
        ClusterService,
        name=st.sampled_from(["one", "two"]),
        selector=st.sampled_from([{"app": "model"}, {"app": "model"}, {"app": "another"}, {}]),
        ports=st.lists(port, min_size=1, max_size=2).map(tuple),
        headless=st.booleans(),
    )
    return st.lists(service, max_size=3)


def started(before: dict[str, Any], after: dict[str, Any]) -> Server:
    """The port of each server of a container before, and after a start with the patched words and variables."""
    if any(item["name"] == "MLSERVER_HTTP_PORT" for item in before.get("env", [])):
        http, grpc = "MLSERVER_HTTP_PORT", "MLSERVER_GRPC_PORT"
        return {_variable(before, http): _variable(after, http), _variable(before, grpc): _variable(after, grpc)}
    if words(before):
        return {_argument(words(before)): _argument(words(after))}
    return {
        port["containerPort"]: port["containerPort"]
        for port in before.get("ports", [])
        if port.get("protocol") != "UDP"
    }


def _variable(container: dict[str, Any], name: str) -> int:
    return next(int(item["value"]) for item in container["env"] if item["name"] == name)


def names_of(pod: dict[str, Any], target: int | str) -> list[str]:
    """The target, and the names of the port if it is a number."""
    ports = [port for item in pod["spec"]["containers"] for port in item.get("ports") or []]
    return [str(target), *(port.get("name", "") for port in ports if port["containerPort"] == target)]


def _argument(found: list[str]) -> int:
    assert "service:app" in found
    index = next(index for index, word in enumerate(found) if word.startswith("--port"))
    return int(found[index].removeprefix("--port=") if "=" in found[index] else found[index + 1])


def listening(before: dict[str, Any], after: dict[str, Any]) -> dict[int, tuple[str, int]]:
    found: dict[int, tuple[str, int]] = {}
    for old, new in zip(before["spec"]["containers"], after["spec"]["containers"], strict=True):
        for port, now in started(old, new).items():
            assert now not in found, f"two servers listen on {now}"
            found[now] = (old["name"], port)
    return found


@st.composite
def pods_with_services(draw: st.DrawFn) -> tuple[dict[str, Any], list[ClusterService]]:
    pod = draw(pods())
    return pod, draw(services(pod))


@given(case=pods_with_services(), level=st.sampled_from(["", "restricted", "privileged"]))
def test_an_injection_keeps_traffic_probes_names_and_class(
    case: tuple[dict[str, Any], list[ClusterService]], level: str
) -> None:
    pod, found = case
    labels = {"pod-security.kubernetes.io/enforce": level} if level else {}
    context = Context("models", labels=labels, services=found)
    injection = inject(pod, context, TEMPLATE)
    patch = patch_json(injection.patch)
    after = apply(pod, patch)
    laws.check_paths(patch)
    again = inject(after, context, TEMPLATE)
    assert again.patch == ()
    if injection.mode is InterceptionMode.NONE:
        assert {item["path"].split("/")[2] for item in patch} == {"annotations"}
        assert again.reason is injection.reason
        return
    assert again.reason is InjectionReason.ALREADY_INJECTED
    assert level == "privileged" or injection.mode is not InterceptionMode.REDIRECT or not level
    laws.check_containers(pod, after)
    laws.check_names(pod, after)
    assert laws.qos(after) == (laws.qos(pod) if laws.qos(pod) != "BestEffort" else "Burstable")
    before_network, after_network = Network(pod, listening(pod, pod)), Network(after, listening(pod, after))
    assert not {*after_network.pairs} & {*after_network.listening}, "the proxy and a server listen on the same port"
    intercepted = {
        after_network.listening[port] for port in after_network.pairs.values() if port in after_network.listening
    }
    for service in found:
        for port in service.ports if service.selector == {"app": "model"} else ():
            if port.protocol == "TCP":
                may_stay = any("metrics" in str(name) for name in (port.name, *names_of(pod, port.target)))
                laws.check_traffic(before_network, after_network, port.target, set() if may_stay else intercepted)
    laws.check_probes(before_network, after_network)
