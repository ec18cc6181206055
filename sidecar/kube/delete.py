"""Deletion of one object."""

from __future__ import annotations

from typing import Any

from .client import TIMEOUT, Kube
from .objects import Resource


async def delete(
    kube: Kube,
    resource: Resource,
    name: str,
    namespace: str = "",
    *,
    uid: str = "",
    propagation: str = "Background",
    timeout: float = TIMEOUT,
) -> None:
    """Delete an object; with `uid`, only this one and not a successor with the same name.

    `propagation` is Background, Foreground or Orphan: what happens to objects that it owns. Raises NotFoundError if
    there is none, ConflictError if its uid is another one, and other KubeErrors.
    """
    body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
    if uid:
        body["preconditions"] = {"uid": uid}
    await kube.request("DELETE", resource.path(namespace, name), body=body, timeout=timeout)
