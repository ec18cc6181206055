"""The messages of the kubelet, against bytes on the wire and against the API's own file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pilotfish.sidecar.node.messages import FIELDS, MANY, MESSAGES, TEXT

PROTO = "k8s.io/kubelet@*/pkg/apis/podresources/v1/api.proto"
# a pod of two containers as the kubelet writes it: field 5 and 4 of containers, and field 3 of devices, are not read
WIRE = bytes.fromhex(
    "0a3d" "0a01 6d" "1206 6d6f64656c73" "1a30"
    "0a01 63" "120f" "0a01 72" "1205 4750552d30" "1a03 0a01 08" "1a01 07"
    "2a17" "1201 67" "1a01 6e" "220f" "1201 64" "1a01 70" "2203 642d30" "2a02 7368".replace(" ", "")
)  # fmt: skip


def test_a_message_is_read_from_the_bytes_on_the_wire() -> None:
    (pod,) = MESSAGES["ListPodResourcesResponse"].FromString(WIRE).pod_resources
    (container,) = pod.containers
    (devices,) = container.devices
    (claim,) = container.dynamic_resources
    (found,) = claim.claim_resources
    assert (pod.name, pod.namespace, container.name) == ("m", "models", "c")
    assert (devices.resource_name, list(devices.device_ids)) == ("r", ["GPU-0"])
    assert (claim.claim_name, claim.claim_namespace) == ("g", "n")
    assert (found.driver_name, found.pool_name, found.device_name) == ("d", "p", "d-0")


@pytest.mark.real
def test_numbers_and_types_are_those_of_the_api() -> None:
    found = sorted((Path.home() / "go/pkg/mod").glob(PROTO))
    if not found:
        pytest.skip("not found: the Go module k8s.io/kubelet, which .ci/kubernetes downloads")
    text = re.sub(r"//.*", "", found[-1].read_text())
    declared = {
        name: {
            int(number): (field, kind, repeated or "")
            for repeated, kind, field, number in re.findall(
                r"^\s*(?:(repeated|optional) )?(\w+) (\w+) = (\d+);", body, re.MULTILINE
            )
        }
        for name, body in re.findall(r"message (\w+) \{(.*?)\}", text, re.DOTALL)
    }
    for message, fields in FIELDS.items():
        for number, name, kind, many in fields:
            assert declared[message][number] == (name, kind, many)
    assert {TEXT, MANY} <= {"string", "repeated"}
