"""The committed renderings: valid for each version of Kubernetes, with least rights, and restricted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pilotfish.sidecar import cli
from tests.helm.render import DATA, cases, objects

FOREIGN = ("cert-manager.io/", "monitoring.coreos.com/")
EVERYTHING = [(name, item) for name in cases() for item in objects(name)]
DEFAULT = objects("default")
SIDECAR = yaml.safe_load((DATA / "sidecar.yaml").read_text())
CONTAINERS = ("proxy", "analyzer", "redirect")


def named(kind: str, name: str, found: list[dict[str, Any]] = DEFAULT) -> dict[str, Any]:
    """Return an object of a rendering."""
    (item,) = (item for item in found if item["kind"] == kind and item["metadata"]["name"] == name)
    return item


def pod_specs() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each pod that the chart renders."""
    for case, item in EVERYTHING:
        if item["kind"] == "Deployment":
            yield f"{case}: {item['metadata']['name']}", item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield f"{case}: {item['metadata']['name']}", item["spec"]


def sidecars() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the sidecars of each rendering."""
    for case, item in EVERYTHING:
        if item["kind"] == "ConfigMap":
            template = yaml.safe_load(item["data"]["sidecar.yaml"])
            yield from ((f"{case}: {name}", template[name]) for name in ("analyzer", "proxy"))


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each container that the chart renders."""
    for place, spec in pod_specs():
        yield from ((f"{place}: {item['name']}", item) for item in spec["containers"])
    yield from sidecars()


@pytest.mark.parametrize(
    "version", ["1.33", *(pytest.param(f"1.{minor}", marks=pytest.mark.long) for minor in (34, 35, 36))]
)
def test_objects_are_valid_in(version: str) -> None:
    checked = DEFAULT if version == "1.33" else [item for _, item in EVERYTHING]
    for item in checked:
        if not item["apiVersion"].startswith(FOREIGN):
            kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("version", ["1.33", "1.36"])
def test_the_sidecars_make_a_valid_pod_in(version: str) -> None:
    spec = {
        "containers": [{"name": "model", "image": "model"}],
        "initContainers": [SIDECAR["redirect"], SIDECAR["proxy"], SIDECAR["analyzer"]],
        "volumes": SIDECAR["volumes"],
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "model"}, "spec": spec}
    kubernetes_validate.validate(pod, version, strict=True)


def test_the_package_data_are_those_of_the_default_rendering() -> None:
    config = named("ConfigMap", "pilotfish-injector")
    assert config["data"]["sidecar.yaml"] == (DATA / "sidecar.yaml").read_text()
    text = (DATA / "manifests.yaml").read_text()
    plain = {(item["kind"], item["metadata"]["name"]) for item in yaml.safe_load_all(text)}
    hooks = {"Namespace", "Pod"}
    installed = {
        (item["kind"], item["metadata"]["name"])
        for item in DEFAULT
        if item["kind"] not in hooks and item["metadata"]["name"] != "model"
    }
    assert plain == installed
    assert not re.search(r"helm\.sh|Helm|argocd", text)


def test_rights_have_no_wildcards_and_name_each_secret() -> None:
    for case, item in EVERYTHING:
        for rule in item.get("rules", []) if item["kind"] in {"ClusterRole", "Role"} else []:
            assert "*" not in [*rule["verbs"], *rule["resources"], *rule["apiGroups"]], (case, rule)
            secret = {"secrets", "mutatingwebhookconfigurations"} & set(rule["resources"])
            assert not secret or rule.get("resourceNames"), (case, rule)
            assert not {"escalate", "bind", "impersonate", "deletecollection"} & set(rule["verbs"]), (case, rule)


def test_rights_to_act_are_in_their_namespaces_only() -> None:
    acting = {"jobs", "workflows", "pipelineruns"}
    for case, item in EVERYTHING:
        for rule in item.get("rules", []) if item["kind"] in {"ClusterRole", "Role"} else []:
            changing = {"patch", "update"} & set(rule["verbs"])
            scaled = {
                name for name in rule["resources"] if name.endswith(("/scale", "services", "deployments")) and changing
            }
            if acting & set(rule["resources"]) or scaled or "pods/resize" in rule["resources"]:
                assert item["metadata"].get("namespace") in {"flights", "loans"}, (case, item["metadata"])
            assert not scaled or rule.get("resourceNames"), (case, rule)
    (role,) = (item for item in objects("act-namespaces") if item["kind"] == "Role" and "flights" in str(item))
    assert {name for rule in role["rules"] for name in rule["resources"]} == {
        "configmaps", "cronjobs", "deployments", "deployments/scale", "inferenceservices", "jobs", "pods",
        "pods/resize", "secrets",
    }  # fmt: skip


def test_events_may_be_listed_only_where_a_stateful_set_may_be_scaled() -> None:
    listing = [
        (item["kind"], item["metadata"].get("namespace"))
        for _, item in EVERYTHING
        for rule in (item.get("rules", []) if item["kind"] in {"ClusterRole", "Role"} else [])
        if "events" in rule["resources"] and "list" in rule["verbs"]
    ]
    assert listing == [("Role", "loans")]


def test_a_controller_of_one_namespace_reads_no_other() -> None:
    role = named("ClusterRole", "pilotfish-control", objects("one-namespace"))
    assert {name for rule in role["rules"] for name in rule["resources"]} == {"tokenreviews", "subjectaccessreviews"}


def test_every_container_is_admitted_by_the_restricted_standard() -> None:
    for place, container in containers():
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False, place
        assert context["capabilities"] == {"drop": ["ALL"]}, place
        assert context["runAsNonRoot"] is True, place
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, place
        assert context["readOnlyRootFilesystem"] is True, place
        assert "runAsUser" not in context, f"{place}: OpenShift assigns the user"
    for place, spec in pod_specs():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), place
        allowed = {"configMap", "emptyDir", "projected", "secret"}
        assert all(set(volume) - {"name"} <= allowed for volume in spec.get("volumes", ())), place


def test_only_the_redirection_has_a_capability() -> None:
    context = SIDECAR["redirect"]["securityContext"]
    assert context["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert context["runAsUser"] == 0
    assert "restartPolicy" not in SIDECAR["redirect"]


def test_every_container_requests_cpu_and_memory() -> None:
    for place, container in [*containers(), ("redirect", SIDECAR["redirect"])]:
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), place
        assert "memory" in container["resources"]["limits"], place


def test_no_sidecar_takes_the_model_out_of_service() -> None:
    assert SIDECAR["proxy"]["startupProbe"]["httpGet"] == {"path": "/healthz", "port": 9796}
    for name, container in sidecars():
        assert container["restartPolicy"] == "Always", name
        assert not {"livenessProbe", "readinessProbe"} & set(container), name
    assert not {key for key in SIDECAR["analyzer"] if key.endswith("Probe")}


def test_the_controllers_token_is_mounted_in_the_analyzer_only() -> None:
    mounts = {name: {mount["name"] for mount in SIDECAR[name]["volumeMounts"]} for name in CONTAINERS}
    assert mounts["analyzer"] == {volume["name"] for volume in SIDECAR["volumes"]}
    assert mounts["proxy"] == {"pilotfish-shared", "pilotfish-no-token"}
    assert mounts["redirect"] == {"pilotfish-no-token"}


@pytest.mark.parametrize("name", CONTAINERS)
def test_no_sidecar_gets_the_token_of_the_pods_service_account(name: str) -> None:
    """The API server mounts it in each container that has no mount at its path."""
    mounts = {mount["mountPath"]: mount for mount in SIDECAR[name]["volumeMounts"]}
    masked = mounts["/var/run/secrets/kubernetes.io/serviceaccount"]
    assert masked["readOnly"] is True
    assert {"name": masked["name"], "emptyDir": {}} in SIDECAR["volumes"]


@pytest.mark.parametrize(
    ("command", "further"),
    [
        (SIDECAR["proxy"], ["--listen=:8080", "--upstream=127.0.0.1:8000"]),
        (SIDECAR["analyzer"], []),
        *((item["spec"]["template"]["spec"]["containers"][0], []) for _, item in EVERYTHING
          if item["kind"] == "Deployment" and item["metadata"]["name"] != "model"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_the_commands_accept_their_arguments(command: dict[str, Any], further: list[str]) -> None:
    name, *arguments = command["args"]
    cli.build_parser(name).parse_args([*arguments, *further])
    addresses = [word for word in arguments if re.match("--(admin|health|listen|metrics-listen)=", word)]
    assert addresses
    assert all("=:" in word for word in addresses), "an address of one family is not reached in other clusters"


def test_the_chart_renders_neither_a_certificate_nor_a_secret() -> None:
    for case, item in EVERYTHING:
        assert "caBundle" not in str(item), case
        if item["kind"] == "Secret":
            assert "data" not in item, case
            assert "stringData" not in item, case


def test_selectors_find_the_pods_of_their_component() -> None:
    for component in ("control", "injector"):
        labels = named("Deployment", f"pilotfish-{component}")["spec"]["template"]["metadata"]["labels"]
        service = named("Service", f"pilotfish-{component}")["spec"]["selector"]
        leader = {"pilotfish.dev/leader": "true"} if component == "control" else {}
        assert service.items() <= {**labels, **leader}.items()
        assert leader.items() <= service.items()
        for kind in ("NetworkPolicy", "PodDisruptionBudget"):
            spec = named(kind, f"pilotfish-{component}")["spec"]
            selector = spec.get("selector") or spec["podSelector"]
            assert selector["matchLabels"].items() <= labels.items()
            other = {"control": "injector", "injector": "control"}[component]
            assert selector["matchLabels"]["app.kubernetes.io/component"] != other


def test_the_webhook_never_sees_system_namespaces_and_never_blocks_pods_of_unlabelled_ones() -> None:
    webhooks = named("MutatingWebhookConfiguration", "pilotfish-injector")["webhooks"]
    for webhook in webhooks:
        (excluded,) = (
            set(rule["values"])
            for rule in webhook["namespaceSelector"]["matchExpressions"]
            if rule["key"] == "kubernetes.io/metadata.name"
        )
        assert excluded == {"kube-node-lease", "kube-public", "kube-system", "pilotfish-system"}
        assert (webhook["timeoutSeconds"], webhook["sideEffects"]) == (3, "NoneOnDryRun")
        assert webhook["reinvocationPolicy"] == "IfNeeded"
    assert {webhook["failurePolicy"] for webhook in webhooks} == {"Ignore"}
    closed = named("MutatingWebhookConfiguration", "pilotfish-injector", objects("fail-closed"))["webhooks"]
    assert [webhook["name"] for webhook in closed] == ["namespace.pilotfish.dev", "pod.pilotfish.dev"]
    assert {webhook["failurePolicy"] for webhook in closed} == {"Fail"}


def test_what_must_survive_an_uninstall_is_kept() -> None:
    assert named("Secret", "pilotfish-ca")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_images_come_from_the_registry_by_digest() -> None:
    for place, container in containers():
        if place.startswith("private-registry"):
            assert container["image"] == f"registry.example/mirror/pilotfish@sha256:{1:064}", place
    template = yaml.safe_load(
        named("ConfigMap", "pilotfish-injector", objects("private-registry"))["data"]["sidecar.yaml"]
    )
    assert template["redirect"]["image"] == f"registry.example/mirror/pilotfish-redirect@sha256:{2:064}"
    assert template["imagePullSecrets"] == [{"name": "mirror"}]
