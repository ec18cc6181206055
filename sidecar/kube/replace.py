"""Replacement of an object that was read before."""

from __future__ import annotations

from typing import Any

from ..errors import quote_value
from .client import TIMEOUT, Kube
from .errors import InvalidError
from .objects import Resource, managed_by


async def replace(
    kube: Kube,
    resource: Resource,
    body: dict[str, Any],
    *,
    subresource: str = "",
    field_manager: str = "",
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Replace the object that `body.metadata` names, if its resourceVersion is still the present one; return it.

    `field_manager` is the name under which the API server records the change; empty for that of the connection.
    Raises ConflictError if the object changed, InvalidError for a body without a resourceVersion, and other KubeErrors.
    """
    metadata = body.get("metadata") or {}
    name = metadata.get("name", "")
    if not name or not metadata.get("resourceVersion"):
        raise InvalidError(
            f"{resource.plural} {quote_value(name)} was not replaced: it has no name or no resourceVersion; "
            "pass an object that was read"
        )
    path = resource.path(metadata.get("namespace", ""), name, subresource)
    query = managed_by(field_manager)
    replaced: dict[str, Any] = await kube.request("PUT", path, query=query, body=body, timeout=timeout)
    return replaced
