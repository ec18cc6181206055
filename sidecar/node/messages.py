"""The messages of the kubelet's API for pod resources, `podresources.v1`: the parts that are read.

They are built from the field numbers of the API, so that no generated code has to fit the installed protobuf. The
parser skips fields that are not listed here.

Source: k8s.io/kubelet/pkg/apis/podresources/v1/api.proto.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "/v1.PodResourcesLister"
LIST, ALLOCATABLE = f"{SERVICE}/List", f"{SERVICE}/GetAllocatableResources"
MANY, TEXT = "repeated", "string"

# message: field number, name, type, and MANY for a list
FIELDS: dict[str, tuple[tuple[int, str, str, str], ...]] = {
    "AllocatableResourcesRequest": (),
    "AllocatableResourcesResponse": ((1, "devices", "ContainerDevices", MANY),),
    "ClaimResource": (
        (2, "driver_name", TEXT, ""),
        (3, "pool_name", TEXT, ""),
        (4, "device_name", TEXT, ""),
    ),
    "ContainerDevices": ((1, "resource_name", TEXT, ""), (2, "device_ids", TEXT, MANY)),
    "ContainerResources": (
        (1, "name", TEXT, ""),
        (2, "devices", "ContainerDevices", MANY),
        (5, "dynamic_resources", "DynamicResource", MANY),
    ),
    "DynamicResource": (
        (2, "claim_name", TEXT, ""),
        (3, "claim_namespace", TEXT, ""),
        (4, "claim_resources", "ClaimResource", MANY),
    ),
    "ListPodResourcesRequest": (),
    "ListPodResourcesResponse": ((1, "pod_resources", "PodResources", MANY),),
    "PodResources": (
        (1, "name", TEXT, ""),
        (2, "namespace", TEXT, ""),
        (3, "containers", "ContainerResources", MANY),
    ),
}


def _build() -> dict[str, Any]:
    """Return the class of each message by its name."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="pilotfish/podresources.proto", package="v1", syntax="proto3")
    for message, fields in FIELDS.items():
        described = file.message_type.add(name=message)
        for number, name, kind, many in fields:
            field = described.field.add(name=name, number=number, type=kinds.TYPE_STRING)
            field.label = kinds.LABEL_REPEATED if many else kinds.LABEL_OPTIONAL
            if kind != TEXT:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".v1.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"v1.{name}")) for name in FIELDS}


MESSAGES = _build()
