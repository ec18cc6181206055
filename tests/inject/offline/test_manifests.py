"""`pilotfish manifests` prints an installation for another namespace, other images and other replicas."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pilotfish.sidecar import cli
from pilotfish.sidecar.inject.offline.images import Images, package_text
from pilotfish.sidecar.inject.offline.manifests import CHECKSUM, MONITOR_WEBHOOK, render
from pilotfish.sidecar.inject.template import parse_template

DATA = package_text("manifests.yaml")


def documents(namespace: str = "pilotfish-system", image: str = "", redirect: str = "", **given: Any) -> list[Any]:
    return [one for one in yaml.safe_load_all(render(DATA, namespace, Images(image, redirect), **given)) if one]


def of_kind(found: list[Any], kind: str) -> list[Any]:
    return [one for one in found if one["kind"] == kind]


def test_the_default_is_the_rendering_of_the_chart() -> None:
    assert render(DATA, "pilotfish-system", Images()) == DATA


def test_the_namespace_the_kind_and_the_policy_come_first(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    assert cli.main(["manifests", "--namespace", "watch", "--replicas", "1"]) == 0
    found = [one for one in yaml.load_all(capsysbinary.readouterr().out, Loader=yaml.CSafeLoader) if one]
    kinds = [one["kind"] for one in found]
    assert kinds[:2] == ["Namespace", "CustomResourceDefinition"]
    assert "ValidatingAdmissionPolicyBinding" in kinds[2:]
    assert [one["spec"]["replicas"] for one in of_kind(found, "Deployment")] == [1, 1]
    assert len({(one["kind"], one["metadata"]["name"]) for one in found}) == len(found)


def test_every_object_and_every_reference_moves_to_the_other_namespace() -> None:
    text = render(DATA, "watch", Images())
    assert "pilotfish-system" not in text
    found = [one for one in yaml.safe_load_all(text) if one]
    spaces = {one["metadata"]["namespace"] for one in found if "namespace" in one["metadata"]}
    assert spaces == {"watch"}
    assert "pilotfish-control.watch.svc:8443" in text
    assert len(found) == len(documents())


def test_images_are_replaced_in_the_template_of_the_sidecars_too_and_roll_the_injector() -> None:
    found = documents(image="r.example:5000/a/pilotfish:2", redirect="r.example/redirect@sha256:" + "0" * 64)
    images = [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in of_kind(found, "Deployment")]
    assert images == ["r.example:5000/a/pilotfish:2"] * 2
    (text,) = [one["data"]["sidecar.yaml"] for one in of_kind(found, "ConfigMap") if "sidecar.yaml" in one["data"]]
    template = parse_template(yaml.safe_load(text))
    assert template.proxy["image"] == template.analyzer["image"] == "r.example:5000/a/pilotfish:2"
    assert template.redirect["image"].startswith("r.example/redirect@")
    checksums = [
        (one["spec"]["template"]["metadata"].get("annotations") or {}).get(CHECKSUM)
        for items in (documents(), found)
        for one in of_kind(items, "Deployment")
    ]
    assert len({one for one in checksums if one}) == 2


def test_replicas_and_failure_policy_are_set_but_not_for_pods_of_everybody() -> None:
    found = documents(replicas=3, failure_policy="Fail")
    assert [one["spec"]["replicas"] for one in of_kind(found, "Deployment")] == [3, 3]
    (configuration,) = of_kind(found, "MutatingWebhookConfiguration")
    policies = {one["name"]: one["failurePolicy"] for one in configuration["webhooks"]}
    assert policies.pop(MONITOR_WEBHOOK) == "Ignore"
    assert set(policies.values()) == {"Fail"}


def test_nothing_that_a_process_writes_is_in_the_manifests() -> None:
    found = documents()
    assert "caBundle:" not in DATA
    assert all("data" not in one and "stringData" not in one for one in of_kind(found, "Secret"))


@pytest.mark.parametrize("namespace", ["", "kube-system", "A", "a" * 64, "-a", "a.b", "a b", "a\n---\nx"])
def test_a_namespace_that_cannot_be_one_is_refused(namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["manifests", f"--namespace={namespace}"]) == 2
    out, err = capsys.readouterr()
    assert (out, "--namespace cannot be used" in err) == ("", True)


UNUSABLE = [["--image", "a b"], ["--image", 'x"'], ["--redirect-image", "UPPER"], ["--replicas", "0"]]


@pytest.mark.parametrize("words", UNUSABLE)
def test_an_unusable_option_is_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["manifests", *words]) == 2
    assert words[0] in capsys.readouterr().err
