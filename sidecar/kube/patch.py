"""Changes of parts of an object: merge patch, JSON patch and server-side apply."""

from __future__ import annotations

from typing import Any

from .client import TIMEOUT, Kube
from .objects import Resource, managed_by


async def merge_patch(
    kube: Kube,
    resource: Resource,
    name: str,
    body: dict[str, Any],
    namespace: str = "",
    *,
    subresource: str = "",
    field_manager: str = "",
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Merge `body` into the object (RFC 7386: null removes a key, a list is replaced) and return the object.

    With `metadata.resourceVersion` in `body`, ConflictError is raised if the object changed. Raises KubeErrors.

    `field_manager` is the name under which the API server records the change; empty for that of the connection.
    """
    path, query = resource.path(namespace, name, subresource), managed_by(field_manager)
    patched: dict[str, Any] = await kube.request(
        "PATCH", path, query=query, body=body, content_type="application/merge-patch+json", timeout=timeout
    )
    return patched


async def json_patch(
    kube: Kube,
    resource: Resource,
    name: str,
    operations: list[dict[str, Any]],
    namespace: str = "",
    *,
    subresource: str = "",
    field_manager: str = "",
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Carry out the operations of a JSON patch (RFC 6902) and return the object.

    Raises InvalidError if an operation does not fit, for example a failed `test`, and other KubeErrors. Replace
    `/metadata/resourceVersion` to have a ConflictError if the object changed.

    `field_manager` is the name under which the API server records the change; empty for that of the connection.
    """
    path, query = resource.path(namespace, name, subresource), managed_by(field_manager)
    patched: dict[str, Any] = await kube.request(
        "PATCH", path, query=query, body=operations, content_type="application/json-patch+json", timeout=timeout
    )
    return patched


async def apply(
    kube: Kube,
    resource: Resource,
    body: dict[str, Any],
    *,
    field_manager: str,
    force: bool = False,
    subresource: str = "",
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Apply the fields in `body` on the server: create the object, or change it; return it.

    Fields that `field_manager` applied before and that are absent now are removed. Raises ConflictError for a field of
    another manager, except with `force`, and other KubeErrors.
    """
    metadata = body["metadata"]
    path = resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
    query = [("fieldManager", field_manager), *([("force", "true")] if force else [])]
    applied: dict[str, Any] = await kube.request(
        "PATCH", path, query=query, body=body, content_type="application/apply-patch+yaml", timeout=timeout
    )
    return applied
