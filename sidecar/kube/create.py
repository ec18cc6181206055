"""Creation of objects and of requests that are answered at once, such as a TokenReview."""

from __future__ import annotations

from typing import Any

from .client import TIMEOUT, Kube
from .objects import Resource


async def create(
    kube: Kube,
    resource: Resource,
    body: dict[str, Any],
    namespace: str = "",
    *,
    subresource: str = "",
    name: str = "",
    timeout: float = TIMEOUT,
) -> dict[str, Any]:
    """Create an object and return it as stored; with `name` and `subresource`, create a subresource of that object.

    Raises AlreadyExistsError if the name is taken, and other KubeErrors. After an UnavailableError the object may
    exist: create it again under the same name.
    """
    path = resource.path(namespace, name, subresource)
    created: dict[str, Any] = await kube.request("POST", path, body=body, timeout=timeout)
    return created
