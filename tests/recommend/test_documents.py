"""JSON for programs, and patches that a person may apply: only of what the template has, with what to know before."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import yaml

from pilotfish.sidecar.recommend.advice import Advice
from pilotfish.sidecar.recommend.documents import as_json, as_patches
from pilotfish.sidecar.recommend.fitting import NamespaceRules, advise
from pilotfish.sidecar.recommend.recommended import from_status
from pilotfish.sidecar.recommend.workload import MeasuredWorkload
from tests.recommend.made import STATUS, workload


def advices(found: MeasuredWorkload, **changed: Any) -> list[Advice]:
    recommended = from_status(STATUS | changed)
    return [advise(found, one, recommended, NamespaceRules()) for one in found.containers()]


def test_a_patch_has_the_container_by_its_name_and_nothing_else() -> None:
    proxy, text = as_patches(advices(workload(STATUS)))
    assert yaml.safe_load(text) == {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "delays", "namespace": "shop"},
        "spec": {
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "model",
                            "resources": {
                                "requests": {"cpu": "350m", "memory": "1229Mi"},
                                "limits": {"cpu": "700m", "memory": "1229Mi"},
                            },
                        }
                    ]
                }
            }
        },
    }
    assert text.startswith("# To apply it, which restarts every pod: kubectl patch deployment/delays -n shop")
    assert proxy.startswith("# pilotfish-proxy: the chart sets the resources of Pilotfish's sidecars")


def test_a_patch_warns_of_low_confidence_and_has_the_notes() -> None:
    text = list(as_patches(advices(workload(STATUS, model={}), confidence=0.1)))[-1]
    assert "# low confidence, observe for longer before you apply it: model\n" in text
    assert "# model: it has no cpu request now" in text


def test_a_custom_resource_gets_no_patch() -> None:
    found = workload(STATUS)
    target = msgspec.structs.replace(found.target, api_version="argoproj.io/v1alpha1", kind="Rollout")
    (text,) = as_patches(advices(MeasuredWorkload("shop", target, found.pods))[:1])
    assert text.startswith("# A Rollout takes no strategic merge patch")
    assert yaml.safe_load(text) is None, "all of it is a comment"


def test_what_fits_already_is_no_patch() -> None:
    (text,) = as_patches(advices(workload(STATUS), target={"cpu": "2"})[:1])
    assert text == "# deployment/delays: nothing to change\n"


def test_json_has_every_figure_and_null_for_what_is_not_known() -> None:
    found = workload(STATUS)
    model, proxy = advices(found)[0], advise(found, found.containers()[1], None, NamespaceRules())
    document = json.loads(as_json([model, proxy], "shop", ["a problem"], 12.5))
    assert (document["at"], document["namespace"], document["problems"]) == (12.5, "shop", ["a problem"])
    (one,) = document["workloads"]
    assert (one["kind"], one["name"], one["monitor"], one["pods"]) == ("Deployment", "delays", "delays", 3)
    known, unknown = one["containers"]
    assert known["recommended"]["target"] == {"cpu": "350m", "memory": "1288490189"}
    assert known["recommended"]["source"] == "status"
    assert known["cost_change_30_days"] < 0
    assert (unknown["recommended"], unknown["proposed"], unknown["cost_change_30_days"]) == (None, None, None)
